"""Models in a folder: ``root/models/NAME/VINTAGE/``, published by one rename, verified before use."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import shutil
from pathlib import Path

from btc_assets.errors import BadModel, StorageError
from btc_assets.io.files import file_sha256, last_change, sync
from btc_assets.storage.registry.manifest import MANIFEST, manifest_bytes, parse_manifest, verify
from btc_assets.storage.registry.protocol import (
    ModelRef,
    VintageId,
    check_metrics,
    check_name,
    numbers,
    other_content,
    vintages_among,
)

_STALE = dt.timedelta(days=1)


class FolderRegistry:
    """A model registry on this machine's disk.

    A vintage appears under its name by a single rename of a finished, flushed folder: a reader sees all
    of it or nothing, and a writer that is killed leaves only a hidden folder that the next one removes.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root) / "models"

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Store a copy of ``folder`` as ``name``/``vintage``, all or nothing."""
        check_name(name)
        manifest = verify(folder)
        check_metrics(manifest)
        ref = ModelRef(name, vintage, file_sha256(folder / MANIFEST), numbers(manifest))
        if self._is_there(ref):
            return ref
        draft = self.root / name / f".draft-{secrets.token_hex(6)}"
        try:
            self.folder_for(name)
            self._remove_drafts(name)
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
                f"cannot publish {name} {vintage} below {self.root}: {_reason(error)}; nothing was published"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return ref

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None if there is no such vintage."""
        path = self._path(name, vintage)
        return self._ref(name, vintage) if path.is_dir() else None

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages of ``name``, oldest first."""
        check_name(name)
        parent = self.root / name
        if not parent.is_dir():
            return []
        return [self._ref(name, vintage) for vintage in vintages_among(p.name for p in parent.iterdir())]

    def model_folder(self, ref: ModelRef) -> Path:
        """Return the folder of ``ref``, verified; verified again only if a file in it was touched."""
        path = self.path(ref)
        verify_once(path, ref.manifest_sha256)
        return path

    def path(self, ref: ModelRef) -> Path:
        """Return where the files of ``ref`` are, or would be; not verified."""
        return self._path(ref.name, ref.vintage)

    def folder_for(self, name: str) -> Path:
        """Return the folder of all vintages of ``name``, made if need be."""
        check_name(name)
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _path(self, name: str, vintage: VintageId) -> Path:
        check_name(name)
        return self.root / name / str(vintage)

    def _is_there(self, ref: ModelRef) -> bool:
        there = self.get(ref.name, ref.vintage)
        if there is not None and there.manifest_sha256 != ref.manifest_sha256:
            raise other_content(ref, there)
        return there is not None

    def _ref(self, name: str, vintage: VintageId) -> ModelRef:
        path = self._path(name, vintage)
        content = manifest_bytes(path)
        manifest = parse_manifest(content, str(path / MANIFEST))
        return ModelRef(name, vintage, hashlib.sha256(content).hexdigest(), numbers(manifest))

    def _remove_drafts(self, name: str) -> None:
        """Remove what killed writers left more than a day ago."""
        cutoff = (dt.datetime.now(dt.UTC) - _STALE).timestamp()
        for draft in (self.root / name).glob(".*-*"):
            if last_change(draft) < cutoff:
                shutil.rmtree(draft, ignore_errors=True)


Fingerprint = tuple[tuple[str, int, int, int], ...]
_VERIFIED: dict[tuple[Path, str], Fingerprint] = {}


def verify_once(folder: Path, manifest_sha256: str) -> None:
    """Verify ``folder``, unless this process did so and no file there was touched since."""
    key = (folder.absolute(), manifest_sha256)
    before = _fingerprint(folder)
    if _VERIFIED.get(key) == before:
        return
    verify(folder, manifest_sha256)
    _VERIFIED[key] = before


def _fingerprint(folder: Path) -> Fingerprint:
    try:
        paths = sorted(p for p in folder.rglob("*") if not p.is_dir())
        stats = ((str(p), p.lstat()) for p in paths)
        return tuple((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)
    except OSError as error:
        raise BadModel(f"{folder} cannot be read: {error.strerror}") from error


def _reason(error: OSError) -> str:
    """Say it in words; an error of copying a folder is a list of those of its files."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return str(error.args[0][0][2])
    return error.strerror or str(error)


def _copy_durably(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        sync(path)
    sync(target)
