"""A loopback exchange, a data folder and a Dagster instance that belong together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from exchange import Exchange
from tiny_vintage import write_vintage

from btc_assets.contracts import NETWORKS, TableSpec
from btc_assets.defs.partitions import Window
from btc_assets.factory import open_registry, open_tables
from btc_assets.launch import run_window
from btc_assets.market.calendar import DAY
from btc_assets.modeling.vintages import grid_cutoff
from btc_assets.settings import Settings, load
from btc_assets.storage.registry.protocol import VintageId

LAST = dt.date(2019, 12, 31)
"""The newest candle that the loaded folder has; enough history for features and a vintage to be judged."""


@dataclass
class GraphEnvironment:
    """An exchange, a data folder and a Dagster instance that belong together."""

    exchange: Exchange
    settings: Settings
    instance: dg.DagsterInstance

    def run(
        self, job: str, first: dt.date, last: dt.date, assets: Sequence[str] | None = None, **more: Any
    ) -> None:
        """Materialise first to last (included)."""
        run_window(self.instance, job, Window(first, last + DAY), assets, **more)

    def table(self, spec: TableSpec, **window: Any) -> pl.DataFrame:
        """Rows of a table."""
        return open_tables(self.settings).read(spec, **window)

    def version(self, spec: TableSpec) -> int:
        """A table's version."""
        return open_tables(self.settings).version(spec)

    def register(self, first: dt.date, last: dt.date) -> None:
        """Put a vintage of each network at every cutoff that origins from first to last may ask for."""
        registry = open_registry(self.settings)
        cutoff = grid_cutoff(first, self.settings.refit_every) - self.settings.refit_every * DAY
        while cutoff <= last:
            for kind in NETWORKS:
                folder = self.settings.cache_dir / "scratch" / f"{kind}-{cutoff}"
                write_vintage(folder, kind, cutoff)
                registry.publish(kind, VintageId(cutoff), folder)
            cutoff += self.settings.refit_every * DAY

    def metadata(self, asset: str, day: dt.date) -> dict[str, Any]:
        """What the newest materialisation of a partition says."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey([asset]), asset_partitions=[day.isoformat()]), limit=1
        ).records
        return {k: v.value for k, v in records[0].asset_materialization.metadata.items()}  # type: ignore[union-attr]


def point_settings_at(patch: pytest.MonkeyPatch, exchange: Exchange, folder: Path) -> Settings:
    """Point the settings at ``exchange`` and ``folder``; what an opened instance sets goes with ``patch``."""
    for name in ("DAGSTER_HOME", "BTC_ARCHIVE", "BTC_LANDING"):
        patch.setenv(name, "")  # so that it is put back even where it was not there
        patch.delenv(name)
    patch.setenv("BTC_SOURCE", "binance")
    patch.setenv("BTC_BINANCE_URL", exchange.url)
    patch.setenv("BTC_SOURCE_DEADLINE", "5")
    patch.setenv("BTC_DATA_DIR", str(folder))
    patch.setenv("BTC_CACHE_DIR", str(folder / "cache"))
    return load()
