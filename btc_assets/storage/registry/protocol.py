"""What every model registry offers: immutable, hash-verified model folders under (name, version)."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from btc_assets.errors import StorageError

_VINTAGE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-r[1-9][0-9]*)?")


@dataclass(frozen=True, slots=True, order=True)
class VintageId:
    """A model version: its cutoff and, after changed hyper-parameters, a revision."""

    cutoff: dt.date
    revision: int = 0

    def __str__(self) -> str:
        return f"{self.cutoff}" if self.revision == 0 else f"{self.cutoff}-r{self.revision}"

    @property
    def number(self) -> int:
        """As one integer, for registries that count versions: YYYYMMDDrr."""
        return int(f"{self.cutoff:%Y%m%d}") * 100 + self.revision

    @classmethod
    def from_number(cls, number: int) -> VintageId:
        """Return the inverse of ``number``."""
        day, revision = divmod(number, 100)
        return cls(dt.date(day // 10_000, day // 100 % 100, day % 100), revision)

    @classmethod
    def parse(cls, text: str) -> VintageId:
        """Return the inverse of ``str``."""
        cutoff, _, revision = text.partition("-r")
        return cls(dt.date.fromisoformat(cutoff), int(revision or 0))


def vintages_among(names: Iterable[str]) -> list[VintageId]:
    """Return the vintages that folders of ``names`` are, oldest first; others are left out."""
    return sorted(VintageId.parse(name) for name in names if _VINTAGE.fullmatch(name))


def is_name(text: str) -> bool:
    """Tell whether a model can be called ``text``: every backend keeps it as it is."""
    return re.fullmatch(r"[a-z][a-z0-9_]{0,62}", text) is not None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A registered vintage: what it is called and the hash that its manifest must have."""

    name: str
    vintage: VintageId
    manifest_sha256: str
    metrics: Mapping[str, float] = field(default_factory=dict)


class ModelRegistry(Protocol):
    """A store of model folders. A folder holds ``manifest.json`` with a sha256 for every other file."""

    def publish(self, name: str, vintage: VintageId, folder: Path) -> ModelRef:
        """Store ``folder`` as ``name``/``vintage``, all or nothing; the same content again is no error.

        Raises:
            StorageError: the vintage exists with other content (vintages are never overwritten),
                a name outside ``[a-z][a-z0-9_]*``, or a metric that not every backend keeps as it is.
            BadModel: the folder does not match its manifest.
        """

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """Return the reference, or None if there is no such vintage."""

    def versions(self, name: str) -> list[ModelRef]:
        """Return all vintages of ``name``, oldest first."""

    def model_folder(self, ref: ModelRef) -> Path:
        """Return a local folder with the files of ``ref``, verified against ``ref.manifest_sha256``.

        Raises:
            BadModel: a file is missing, unlisted, or does not hash to what the manifest says.
        """


def check_name(name: str) -> None:
    """Raise StorageError unless every backend keeps ``name`` as it is."""
    if not is_name(name):
        raise StorageError(f"model name {name!r}: use a-z, 0-9 and _, starting with a letter, at most 63")


def check_metrics(manifest: Mapping[str, Any]) -> None:
    """Raise StorageError unless every backend keeps the metrics in ``manifest`` as they are."""
    bad = {k: v for k, v in numbers(manifest).items() if "__" in k or not math.isfinite(v)}
    if bad:
        raise StorageError(f"metrics must be finite, and without two underscores in a row in a name: {bad}")


def numbers(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics in ``manifest`` that are plain numbers."""
    metrics = manifest.get("metrics", {})
    return {k: float(v) for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def other_content(mine: ModelRef, there: ModelRef | None) -> StorageError:
    """Return what to raise when a vintage is there with other content."""
    found = there.manifest_sha256[:12] if there else "unknown"
    return StorageError(
        f"{mine.name} {mine.vintage} is published already with other content ({found}, not "
        f"{mine.manifest_sha256[:12]}); vintages are never overwritten: publish under a new revision"
    )
