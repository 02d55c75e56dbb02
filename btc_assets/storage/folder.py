"""Models in a folder: ``root/models/NAME/VINTAGE/``, published by one rename, verified before use."""

from __future__ import annotations

import datetime as dt
import math
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from btc_assets.errors import BadModel, StorageError
from btc_assets.storage.hashing import file_sha256, sync
from btc_assets.storage.manifest import MANIFEST, read_manifest, verify
from btc_assets.storage.registry import ModelRef, VintageId

_STALE = dt.timedelta(days=1)


class FolderRegistry:
    """A model registry on this machine's disk.

    A vintage appears under its name by a single rename of a finished, flushed folder: a reader sees all
    of it or nothing, and a writer that is killed leaves only a hidden folder that the next one sweeps up.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root) / "models"

    def publish(self, name: str, vintage: VintageId, folder: Path, metrics: Mapping[str, float]) -> ModelRef:
        """Store a copy of ``folder`` as ``name``/``vintage``, all or nothing."""
        check_name(name)
        check_metrics(metrics)
        verify(folder)
        ref = ModelRef(name, vintage, file_sha256(folder / MANIFEST), dict(metrics))
        if self._is_there(ref):
            return ref
        draft = self.root / name / f".draft-{secrets.token_hex(6)}"
        try:
            self._sweep(name)
            draft.parent.mkdir(parents=True, exist_ok=True)
            _copy_durably(folder, draft)
            try:
                draft.rename(self._path(name, vintage))
            except OSError:
                # Someone published this vintage in the meantime: the same content is fine.
                if not self._is_there(ref):
                    raise
            sync(draft.parent)
        except OSError as error:
            raise StorageError(
                f"cannot publish {name} {vintage} below {self.root}: {error.strerror}; nothing was published"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return ref

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """The reference, or None if there is no such vintage."""
        path = self._path(name, vintage)
        return self._ref(name, vintage) if path.is_dir() else None

    def versions(self, name: str) -> list[ModelRef]:
        """All vintages of ``name``, oldest first."""
        check_name(name)
        parent = self.root / name
        if not parent.is_dir():
            return []
        vintages = sorted(VintageId.parse(p.name) for p in parent.iterdir() if not p.name.startswith("."))
        return [self._ref(name, vintage) for vintage in vintages]

    def best(self, name: str, metric: str) -> ModelRef | None:
        """The vintage with the lowest ``metric``; of equals the newest."""
        return best_of(self.versions(name), metric)

    def fetch(self, ref: ModelRef) -> Path:
        """The folder of ``ref``, verified; verified again only if a file in it was touched."""
        path = self._path(ref.name, ref.vintage)
        verify_once(path, ref.manifest_sha256)
        return path

    def _path(self, name: str, vintage: VintageId) -> Path:
        check_name(name)
        return self.root / name / str(vintage)

    def _is_there(self, ref: ModelRef) -> bool:
        there = self.get(ref.name, ref.vintage)
        if there is None:
            return False
        if there.manifest_sha256 != ref.manifest_sha256:
            raise StorageError(
                f"{ref.name} {ref.vintage} is published already with other content "
                f"({there.manifest_sha256[:12]}, not {ref.manifest_sha256[:12]}); vintages are never "
                "overwritten: publish under a new revision"
            )
        return True

    def _ref(self, name: str, vintage: VintageId) -> ModelRef:
        path = self._path(name, vintage)
        manifest = read_manifest(path)
        metrics = {k: float(v) for k, v in manifest.get("metrics", {}).items()}
        return ModelRef(name, vintage, file_sha256(path / MANIFEST), metrics)

    def _sweep(self, name: str) -> None:
        """Remove what killed writers left more than a day ago."""
        cutoff = (dt.datetime.now(dt.UTC) - _STALE).timestamp()
        for draft in (self.root / name).glob(".draft-*"):
            if draft.stat().st_mtime < cutoff:
                shutil.rmtree(draft, ignore_errors=True)


Fingerprint = tuple[tuple[str, int, int, int], ...]
_VERIFIED: dict[tuple[Path, str], Fingerprint] = {}


def verify_once(folder: Path, manifest_sha256: str) -> None:
    """Verify ``folder``, unless this process did so and no file there was touched since.

    Raises:
        BadModel: as ``manifest.verify``.
    """
    key = (folder.absolute(), manifest_sha256)
    before = _fingerprint(folder)
    if _VERIFIED.get(key) == before:
        return
    verify(folder, manifest_sha256)
    _VERIFIED[key] = before


def check_name(name: str) -> None:
    """Raise StorageError unless every backend keeps ``name`` as it is."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise StorageError(f"model name {name!r}: use a-z, 0-9 and _, starting with a letter, at most 63")


def check_metrics(metrics: Mapping[str, float]) -> None:
    """Raise StorageError for a metric that is not a finite number."""
    bad = {k: v for k, v in metrics.items() if not math.isfinite(v)}
    if bad:
        raise StorageError(f"metrics must be finite numbers: {bad}")


def best_of(refs: Iterable[ModelRef], metric: str) -> ModelRef | None:
    """The reference with the lowest ``metric``, of equals the newest; None if no one has it."""
    having = [ref for ref in refs if metric in ref.metrics]
    return min(reversed(having), key=lambda ref: ref.metrics[metric], default=None)


def _fingerprint(folder: Path) -> Fingerprint:
    try:
        paths = sorted(p for p in folder.rglob("*") if not p.is_dir())
        stats = ((str(p), p.lstat()) for p in paths)
        return tuple((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)
    except OSError as error:
        raise BadModel(f"{folder} cannot be read: {error.strerror}") from error


def _copy_durably(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        sync(path)
    sync(target)
