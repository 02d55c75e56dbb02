"""What every model registry offers: immutable, hash-verified model folders under (name, version)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


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
        """The inverse of ``number``."""
        day, revision = divmod(number, 100)
        return cls(dt.date(day // 10_000, day // 100 % 100, day % 100), revision)

    @classmethod
    def parse(cls, text: str) -> VintageId:
        """The inverse of ``str``."""
        cutoff, _, revision = text.partition("-r")
        return cls(dt.date.fromisoformat(cutoff), int(revision or 0))


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A registered vintage: what it is called and the hash that its manifest must have."""

    name: str
    vintage: VintageId
    manifest_sha256: str
    metrics: Mapping[str, float] = field(default_factory=dict)


class ModelRegistry(Protocol):
    """A store of model folders. A folder holds ``manifest.json`` with a sha256 for every other file."""

    def publish(self, name: str, vintage: VintageId, folder: Path, metrics: Mapping[str, float]) -> ModelRef:
        """Store ``folder`` as ``name``/``vintage``, all or nothing; the same content again is no error.

        Raises:
            StorageError: the vintage exists with other content (vintages are never overwritten),
                a name outside ``[a-z][a-z0-9_]*``, or a metric that is not finite.
            BadModel: the folder does not match its manifest.
        """

    def get(self, name: str, vintage: VintageId) -> ModelRef | None:
        """The reference, or None if there is no such vintage."""

    def versions(self, name: str) -> list[ModelRef]:
        """All vintages of ``name``, oldest first."""

    def best(self, name: str, metric: str) -> ModelRef | None:
        """The vintage with the lowest ``metric``, or None."""

    def fetch(self, ref: ModelRef) -> Path:
        """A local folder with the files of ``ref``, verified against ``ref.manifest_sha256``.

        Raises:
            BadModel: a file is missing, unlisted, or does not hash to what the manifest says.
        """
