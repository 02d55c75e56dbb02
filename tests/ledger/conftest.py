"""A small market and a store on disk for the ledger's tests."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from forgery import proof_of
from scored_world import ScoredWorld
from synthetic_candles import bars_of, steady_candles

from btc_assets.contracts import (
    FORECASTS,
    MODELS,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    RAW_KLINES_4H,
    VINTAGES_IN_FORCE,
)
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.inputs import Inputs, read_inputs
from btc_assets.ledger.issue import Issued, issue
from btc_assets.ledger.records import IssueRecord, read_records
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.modeling.features import ENGINEERED_FEATURES, engineer
from btc_assets.series import CANDLES, SERIES, Series
from btc_assets.storage.bitemporal import newest, store_candles
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.manifest import write_manifest
from btc_assets.storage.registry.protocol import ModelRef, VintageId

FIRST = dt.date(2024, 1, 1)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture
def make_candles() -> Callable[..., pl.DataFrame]:
    """``make_candles(n, first=2024-01-01)``: n candles, each a function of its day alone."""
    return steady_candles


class LedgerStore:
    """A store with candles, features and two vintages, and forecasts that are a function of the candles."""

    symbol = "BTCUSDT"
    features = property(lambda self: ENGINEERED_FEATURES)

    def __init__(self, root: Path, days_known: int = 12) -> None:
        self.root = root
        self.tables = DeltaTables(str(root))
        self.registry = FolderRegistry(root)
        if not root.exists():
            self.tables.upsert(RAW_KLINES, steady_candles(days_known))  # each stored as its day closed
            self.tables.upsert(RAW_KLINES_4H, bars_of(steady_candles(days_known)))
            self._derive()
        self.models = {name: self._publish(name) for name in NETWORKS}

    def copy(self, root: Path) -> LedgerStore:
        """The same store in another place."""
        shutil.copytree(self.root, root)
        return LedgerStore(root)

    def store_candles(self, candles: pl.DataFrame, now: dt.datetime, series: Series = CANDLES) -> None:
        store_candles(self.tables, candles, now, series)
        self._derive()

    def _derive(self) -> None:
        self.tables.ensure_table(RAW_KLINES_4H)
        features = engineer({one.name: newest(self.tables, self.symbol, one) for one in SERIES})
        self.tables.ensure_table(ENGINEERED_FEATURES)
        self.tables.upsert(ENGINEERED_FEATURES, features)

    def make(self, count: int, first: dt.date) -> pl.DataFrame:
        return steady_candles(count, first)

    def in_time(self, origin: dt.date) -> Clock:
        """Both clocks five minutes after ``origin`` closed."""
        at = closes_at(origin) + dt.timedelta(minutes=5)
        return Clock(at, at)

    def rows(self, origins: list[dt.date]) -> pl.DataFrame:
        candles = self.tables.read(RAW_KLINES)
        known = {d: (c, v) for d, c, v in candles.select("date", "close", "volume").iter_rows()}
        rows = []
        for origin, model, horizon in itertools.product(origins, MODELS, (1, 2, 3)):
            close, volume = known[origin]
            centre = close * (1 + len(model) / 1000 + volume / 1e9)
            quantiles = {q: centre * (0.9 + 0.01 * i * horizon) for i, q in enumerate(QUANTILES)}
            rows.append(
                {"symbol": self.symbol, "model": model, "origin_date": origin, "horizon": horizon}
                | {"target_date": origin + horizon * DAY, "vintage": FIRST}
                | quantiles
            )
        schema = {k: v for k, v in FORECASTS.schema.items() if k != "issued_at"}
        return pl.DataFrame(rows, schema=schema)

    def inputs(self, origins: list[dt.date]) -> Inputs:
        in_force = [
            {"symbol": self.symbol, "model": name, "date": origin, "vintage": FIRST, "revision": 0}
            | {"manifest_sha256": ref.manifest_sha256, "action": "carried", "reason": "in force"}
            for origin in origins
            for name, ref in self.models.items()
        ]
        self.tables.upsert(VINTAGES_IN_FORCE, pl.DataFrame(in_force, schema=VINTAGES_IN_FORCE.schema))
        return read_inputs(self.tables, self.features, self.symbol, origins, "1.2.3", {"refit_every": 7})

    def issue(self, origins: list[dt.date], clock: Clock | None = None) -> Issued:
        inputs, rows = self.inputs(origins), self.rows(origins)
        return issue(self.tables, self.registry, rows, inputs, clock or self.in_time(max(origins)))

    def records(self) -> list[IssueRecord]:
        return [record for record, _ in read_records(self.tables, self.symbol)]

    def stored(self, origin: dt.date) -> pl.DataFrame:
        return self.tables.read(FORECASTS, start=origin, end=origin + DAY)

    def _publish(self, name: str) -> ModelRef:
        if there := self.registry.get(name, VintageId(FIRST)):
            return there
        folder = self.root / "drafts" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(f"network {name}".encode() * 50)
        write_manifest(folder, {"cutoff": FIRST.isoformat(), "metrics": {"pinball": 0.01}})
        return self.registry.publish(name, VintageId(FIRST), folder)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> LedgerStore:
    return LedgerStore(tmp_path_factory.mktemp("store") / "store")


@pytest.fixture
def store(empty: LedgerStore, tmp_path: Path) -> LedgerStore:
    """A store in which nothing was issued yet."""
    return empty.copy(tmp_path / "store")


@pytest.fixture(scope="session")
def honest_world(tmp_path_factory: pytest.TempPathFactory) -> ScoredWorld:
    """An honest store with scores, for a forger to copy."""
    return ScoredWorld(tmp_path_factory.mktemp("honest") / "store")


@pytest.fixture(scope="session")
def honest_proof(honest_world: ScoredWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its proof."""
    return proof_of(honest_world, tmp_path_factory.mktemp("exported"))
