"""Candles are kept in every version that was ever known, and each instant's knowledge can be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_candles import steady_candles

from btc_assets.contracts import RAW_KLINES, SUPERSEDED_KLINES
from btc_assets.errors import LedgerError
from btc_assets.storage.bitemporal import known, store_candles, versions
from btc_assets.storage.delta.store import DeltaTables

Make = Callable[..., pl.DataFrame]
T0 = dt.datetime(2024, 3, 1, 0, 5, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
CONTENT = [c for c in RAW_KLINES.schema.names() if c != "ingested_at"]


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture
def make_candles() -> Make:
    return steady_candles


def restate(candles: pl.DataFrame, day: dt.date, **values: float) -> pl.DataFrame:
    """``candles`` with other values on ``day``."""
    on = pl.col("date") == day
    return candles.with_columns(
        pl.when(on).then(pl.lit(value, dtype=candles.schema[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )


def test_new_candles_are_stored_as_of_now(tables: DeltaTables, make_candles: Make) -> None:
    stored = store_candles(tables, make_candles(3), T0)
    assert (stored.receipt.inserted, stored.receipt.updated, stored.restated.height) == (3, 0, 0)
    assert set(tables.read(RAW_KLINES)["ingested_at"]) == {T0}


def test_equal_candles_keep_their_first_ingestion_and_write_nothing(
    tables: DeltaTables, make_candles: Make
) -> None:
    store_candles(tables, make_candles(3), T0)
    before = tables.version(RAW_KLINES)
    stored = store_candles(tables, make_candles(3, source="archive"), T0 + HOUR)
    assert (stored.receipt.inserted, stored.receipt.updated, stored.receipt.unchanged) == (0, 0, 3)
    assert tables.version(RAW_KLINES) == before
    assert set(tables.read(RAW_KLINES)["ingested_at"]) == {T0}


# D11: the days whose volume and trade counts Binance changed after the fact, in the values it shows today.
RESTATED = {
    dt.date(2021, 1, 11): (251156.138287, 4472957),
    dt.date(2021, 1, 21): (135004.076658, 2881505),
    dt.date(2021, 12, 24): (31684.84269, 1075177),
}


def test_D11_the_days_binance_restated_stay_readable_in_both_versions(
    tables: DeltaTables, make_candles: Make
) -> None:
    now = make_candles(366, first=dt.date(2021, 1, 1))
    for day, (volume, trades) in RESTATED.items():
        now = restate(now, day, volume=volume, trades=trades)
    then = now
    for day, (volume, trades) in RESTATED.items():
        then = restate(then, day, volume=volume - 1.5, trades=trades - 12)
    store_candles(tables, then, T0)
    stored = store_candles(tables, now, T0 + HOUR)
    assert stored.receipt.updated == 3
    assert sorted(stored.restated["date"]) == sorted(RESTATED)
    before = known(versions(tables, "BTCUSDT"), T0 + HOUR / 2)
    after = known(versions(tables, "BTCUSDT"), T0 + HOUR)
    assert before.select(CONTENT).equals(then.select(CONTENT))
    assert after.select(CONTENT).equals(now.select(CONTENT))
    kept = set(after.filter(~pl.col("date").is_in(list(RESTATED)))["ingested_at"])
    assert kept == {T0}, "days that were not restated keep the version that was seen"


def test_nothing_is_known_before_it_was_stored(tables: DeltaTables, make_candles: Make) -> None:
    store_candles(tables, make_candles(3), T0)
    assert known(versions(tables, "BTCUSDT"), T0 - dt.timedelta(microseconds=1)).is_empty()
    assert known(versions(tables, "BTCUSDT"), T0).height == 3


def test_symbols_do_not_mix(tables: DeltaTables, make_candles: Make) -> None:
    store_candles(tables, pl.concat([make_candles(2), make_candles(2, symbol="ETHUSDT", close=3000.0)]), T0)
    assert set(known(versions(tables, "ETHUSDT"), T0)["close"]) == {3000.0}


class Dies(BaseException):
    """Stands for the process that is killed between two writes."""


def test_a_run_killed_between_the_two_writes_loses_nothing(
    tables: DeltaTables, make_candles: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_candles(3)
    new = restate(old, dt.date(2024, 1, 2), volume=7.0)
    store_candles(tables, old, T0)
    upsert = tables.upsert

    def killed_before_the_new_version(spec, frame):
        if spec.name == RAW_KLINES.name:
            raise Dies
        return upsert(spec, frame)

    monkeypatch.setattr(tables, "upsert", killed_before_the_new_version)
    with pytest.raises(Dies):
        store_candles(tables, new, T0 + HOUR)
    monkeypatch.undo()
    assert known(versions(tables, "BTCUSDT"), T0 + 2 * HOUR).select(CONTENT).equals(old.select(CONTENT))
    again = store_candles(tables, new, T0 + 3 * HOUR)
    assert again.receipt.updated == 1
    assert known(versions(tables, "BTCUSDT"), T0 + 2 * HOUR).select(CONTENT).equals(old.select(CONTENT))
    assert known(versions(tables, "BTCUSDT"), T0 + 3 * HOUR).select(CONTENT).equals(new.select(CONTENT))
    superseded = tables.read(SUPERSEDED_KLINES).row(0, named=True)
    assert (superseded["ingested_at"], superseded["superseded_at"]) == (T0, T0 + 3 * HOUR)


def test_a_clock_that_went_back_is_refused_and_nothing_is_written(
    tables: DeltaTables, make_candles: Make
) -> None:
    store_candles(tables, make_candles(3), T0)
    with pytest.raises(LedgerError, match=r"2024-01-02 is restated.*correct the clock"):
        store_candles(tables, restate(make_candles(3), dt.date(2024, 1, 2), volume=7.0), T0 - HOUR)
    assert tables.read(SUPERSEDED_KLINES).is_empty()
    assert set(tables.read(RAW_KLINES)["ingested_at"]) == {T0}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1.0, 2.0, 3.0])), max_size=3), max_size=5
    )
)
def test_every_instant_reads_what_was_the_newest_then(
    history: list[list[tuple[int, float]]], make_candles: Make, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tables = DeltaTables(str(tmp_path_factory.mktemp("store")))
    candles = make_candles(4, volume=0.5)
    store_candles(tables, candles, T0)
    expected = [candles]
    for step, changes in enumerate(history, start=1):
        for offset, volume in changes:
            candles = restate(candles, dt.date(2024, 1, 1 + offset), volume=volume)
        store_candles(tables, candles, T0 + step * HOUR)
        expected.append(candles)
    for step, candles in enumerate(expected):
        seen = known(versions(tables, "BTCUSDT"), T0 + step * HOUR + HOUR / 2)
        assert seen.select(CONTENT).equals(candles.select(CONTENT))
    superseded = tables.read(SUPERSEDED_KLINES)
    assert superseded.filter(pl.col("superseded_at") <= pl.col("ingested_at")).is_empty()


def test_known_of_no_versions_is_empty() -> None:
    assert known(RAW_KLINES.empty(), T0).is_empty()
