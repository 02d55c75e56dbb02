"""A store with real baselines and scores of a few origins; its networks are baselines made wider."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
from synthetic_candles import candles

from btc_assets.chances.scores import score_chances
from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    MODELS,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    RAW_KLINES_4H,
    UTC_US,
    VINTAGES_IN_FORCE,
)
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.inputs import read_inputs
from btc_assets.ledger.issue import issue
from btc_assets.ledger.records import ISSUE_RECORDS, IssueRecord, read_records
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.scoring.scores import score, with_live_hours
from btc_assets.storage.bitemporal import store_candles
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.manifest import write_manifest
from btc_assets.storage.registry.protocol import VintageId

BEGIN = dt.date(2022, 1, 1)
KNOWN = 720
ORIGINS = [BEGIN + n * DAY for n in (608, 609, 610, 700)]
"""Two live ones (the first and the last), two back-filled with the second's clock."""

LIVE_HOURS = 6
_CUTOFF = BEGIN + 600 * DAY


class ScoredWorld:
    """The store; ``now`` is when its newest forecast was issued."""

    symbol = "BTCUSDT"

    def __init__(self, root: Path) -> None:
        self.root, self.tables, self.registry = root, DeltaTables(str(root)), FolderRegistry(root)
        self.now = closes_at(ORIGINS[-1]) + dt.timedelta(minutes=5)
        if not root.exists():
            self._fill()

    def copy(self, root: Path) -> ScoredWorld:
        """The same store in another place."""
        shutil.copytree(self.root, root)
        return ScoredWorld(root)

    def store_candles(self, rows: pl.DataFrame, now: dt.datetime) -> None:
        """Store restated candles."""
        store_candles(self.tables, rows, now)

    def _fill(self) -> None:
        closed = (pl.col("date") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        self.tables.upsert(RAW_KLINES, candles(KNOWN, first=BEGIN).with_columns(ingested_at=closed))
        for table in (RAW_KLINES_4H, ENGINEERED_FEATURES):
            self.tables.ensure_table(table)
        self._publish()
        self.forecast()

    def forecast(self, hours: int = LIVE_HOURS) -> None:
        """Issue the forecasts of all origins, live within ``hours``, and score them."""
        first, *between, last = ORIGINS
        minutes = dt.timedelta(minutes=5)
        self.issue([first], closes_at(first) + minutes, hours)
        self.issue(between, closes_at(last) + minutes, hours)
        self.issue([last], closes_at(last) + minutes, hours)
        klines, networks = self.tables.read(RAW_KLINES), self.tables.read(FORECASTS)
        baselines = baseline_forecasts(klines, ORIGINS).with_columns(issued_at=pl.lit(self.now).cast(UTC_US))
        self.tables.upsert(BASELINE_FORECASTS, baselines)
        live = dict.fromkeys(ORIGINS, hours)
        self.tables.upsert(FORECAST_SCORES, score(pl.concat([networks, baselines]), klines, live))
        self.tables.upsert(CHANCE_SCORES, score_chances(with_live_hours(networks, live), klines))

    def forget(self) -> None:
        """Remove all that was forecast, and the chain."""
        for table in (FORECASTS, BASELINE_FORECASTS, FORECAST_SCORES, CHANCE_SCORES, ISSUE_RECORDS):
            self.tables.delete_keys(table, self.tables.read(table).select(table.key))

    @property
    def hours(self) -> dict[dt.date, int]:
        """Within how many hours after the close each origin is live."""
        return dict.fromkeys(ORIGINS, LIVE_HOURS)

    def records(self) -> list[IssueRecord]:
        """The chain."""
        return [record for record, _ in read_records(self.tables, self.symbol)]

    def issue(self, origins: list[dt.date], at: dt.datetime, hours: int = LIVE_HOURS) -> None:
        """Issue forecasts by both clocks at ``at``."""
        settings = {"live_hours": hours}
        inputs = read_inputs(self.tables, ENGINEERED_FEATURES, self.symbol, origins, "1.2.3", settings)
        issue(self.tables, self.registry, self._rows(origins), inputs, Clock(at, at))

    def _rows(self, origins: list[dt.date]) -> pl.DataFrame:
        """The mixture walk, wider or narrower by model."""
        walk = baseline_forecasts(self.tables.read(RAW_KLINES), origins).filter(model="mixture_walk")
        centre = pl.col("q500")
        parts = [
            walk.with_columns(
                *((pl.col(q) / centre) ** width * centre for q in QUANTILES),
                model=pl.lit(model),
                vintage=pl.lit(_CUTOFF),
            )
            for model, width in zip(MODELS, (0.9, 1.1, 1.0), strict=True)
        ]
        return pl.concat(parts)

    def _publish(self) -> None:
        for name in NETWORKS:
            folder = self.root / "drafts" / name
            folder.mkdir(parents=True)
            (folder / "model.onnx").write_bytes(f"network {name}".encode())
            write_manifest(folder, {"cutoff": _CUTOFF.isoformat(), "metrics": {"pinball": 0.01}})
            ref = self.registry.publish(name, VintageId(_CUTOFF), folder)
            rows = [
                {"symbol": self.symbol, "model": name, "date": origin, "vintage": _CUTOFF, "revision": 0}
                | {"manifest_sha256": ref.manifest_sha256, "action": "carried", "reason": "in force"}
                for origin in (*ORIGINS, ORIGINS[-1] + DAY)
            ]
            self.tables.upsert(VINTAGES_IN_FORCE, pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema))
