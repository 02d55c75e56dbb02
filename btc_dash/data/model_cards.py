"""Read model cards: which vintages there are, their manifests and pictures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from btc_assets.contracts import NETWORKS, VINTAGES_IN_FORCE
from btc_assets.errors import BadModel, StorageError
from btc_assets.storage.registry.manifest import read_manifest
from btc_assets.storage.registry.protocol import ModelRef, ModelRegistry, VintageId
from btc_dash.data import market
from btc_dash.data.cache import TableCache

PICTURES = ("loss.png", "calibration.png")
"""The files of a model folder that may be looked at from outside."""


@dataclass(frozen=True, slots=True)
class VintagePeriod:
    """A vintage's period in force: the origins from ``first`` to ``last``, and why it came to be."""

    model: str
    vintage: VintageId
    manifest_sha256: str
    first: dt.date
    last: dt.date
    days: int
    reason: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A vintage's manifest, verified, and its pictures by file name."""

    period: VintagePeriod
    manifest: dict[str, Any]
    pictures: dict[str, bytes]


class ModelCards:
    """Reads the cards of a registry; ``open_registry`` is called when the first one is asked for."""

    def __init__(self, cache: TableCache, open_registry: Callable[[], ModelRegistry]) -> None:
        self._cache = cache
        self._registry = open_registry
        self._load = lru_cache(maxsize=32)(self._read)

    def periods(self, model: str) -> list[VintagePeriod]:
        """Return the vintages of ``model`` that were ever in force, newest first."""
        return self._cache.keep(VINTAGES_IN_FORCE, "periods", self._periods).get(model, [])

    def find(self, model: str, name: str | None) -> VintagePeriod | None:
        """Return the vintage called ``name``, the newest without a name, None where there is no such."""
        known = self.periods(model)
        return next((r for r in known if name is None or str(r.vintage) == name), None)

    def read(self, period: VintagePeriod) -> ModelCard | None:
        """Read the vintage's card, None where the registry does not have it or it is not sound."""
        try:
            return self._load(period)
        except (BadModel, StorageError, OSError):
            return None

    def _periods(self) -> dict[str, list[VintagePeriod]]:
        rows = market.vintages(self._cache)
        key = ["model", "vintage", "revision", "manifest_sha256"]
        spans = rows.group_by(key).agg(
            first=pl.col("date").min(), last=pl.col("date").max(), days=pl.len(),
            reason=pl.col("reason").sort_by("date").first(),
        ).sort("vintage", "revision", descending=True)  # fmt: skip
        found: dict[str, list[VintagePeriod]] = {name: [] for name in NETWORKS}
        for row in spans.iter_rows(named=True):
            vintage = VintageId(row["vintage"], row["revision"])
            reason = row["reason"].removeprefix(f"{row['vintage']}: ")
            rest = (row["manifest_sha256"], row["first"], row["last"], row["days"], reason)
            found.setdefault(row["model"], []).append(VintagePeriod(row["model"], vintage, *rest))
        return found

    def _read(self, period: VintagePeriod) -> ModelCard:
        folder = self._registry().model_folder(ModelRef(period.model, period.vintage, period.manifest_sha256))
        manifest = read_manifest(folder, period.manifest_sha256)
        pictures = {name: (folder / name).read_bytes() for name in PICTURES if name in manifest["files"]}
        return ModelCard(period, manifest, pictures)
