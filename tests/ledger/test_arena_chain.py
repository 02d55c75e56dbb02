"""The arena's chain: what competed is vouched for, and `btc verify` names whatever was changed since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from btc_assets.contracts import ARENA_FORECASTS, RAW_KLINES
from btc_assets.errors import LedgerError
from btc_assets.forecasters.arena import Attempt, forecasts_frame
from btc_assets.forecasters.simulated_data import SYMBOL, simulated_data
from btc_assets.forecasters.worker_process import ForecastResult
from btc_assets.ledger.arena_issue import ArenaIssued, issue_arena
from btc_assets.ledger.arena_records import (
    ARENA_RECORDS,
    published_name,
    read_arena_records,
)
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.continuity import lost
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.records import records_frame
from btc_assets.ledger.verification.arena_checks import check_arena
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY, FIRST_DAY, closes_at
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry

LAST = FIRST_DAY + 40 * DAY
DATA = simulated_data([], LAST + DAY)
SERIES = {RAW_KLINES.name: DATA.candles}
SOON = closes_at(LAST) + dt.timedelta(minutes=30)


class Store:
    """Candles, a sink, and what was issued."""

    def __init__(self, root: Path) -> None:
        self.root, self.tables = root, DeltaTables(str(root))
        self.sink = FileSink(root / "heads.jsonl")
        self.tables.upsert(RAW_KLINES, DATA.candles)

    def issue(
        self,
        days: list[dt.date],
        level: float = 1.0,
        version: str = "1",
        at: dt.datetime = SOON,
        heads: Sequence[Published] = (),
    ) -> ArenaIssued:
        """Issue a flat forecast of ``level`` times 1,000 USDT from each of ``days``."""
        result = ForecastResult("ok", "", np.full((90, 21), 1000.0 * level))
        rows = forecasts_frame(SYMBOL, [Attempt("flat", version, day, result) for day in days])
        issued = issue_arena(self.tables, rows, SERIES, Clock(at, at), live_hours=6, heads=heads)
        assert issued.head is not None
        self.sink.publish(issued.head)
        return issued

    def faults(self) -> list[str]:
        """What `btc verify` finds, in a new process's view."""
        registry = FolderRegistry(str(self.root))
        return list(map(str, verify(DeltaTables(str(self.root)), registry, SYMBOL, sink=self.sink).faults))

    def rows(self) -> pl.DataFrame:
        """The stored forecasts."""
        return self.tables.read(ARENA_FORECASTS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three days that were back-filled and one that was issued live."""
    made = Store(tmp_path)
    made.issue([LAST - n * DAY for n in (3, 2, 1)], at=SOON - dt.timedelta(minutes=10))
    made.issue([LAST])
    return made


def test_an_honest_store_is_well_and_says_when_each_was_issued(store: Store) -> None:
    assert store.faults() == []
    kinds = [(record.origin_date, record.kind) for record, _ in read_arena_records(store.tables, SYMBOL)]
    past = [(LAST - n * DAY, "back-filled") for n in (3, 2, 1)]
    assert kinds == [*past, (LAST, "live")]
    report = verify(store.tables, FolderRegistry(str(store.root)), SYMBOL)
    assert report.arena == 4 * 90
    assert report.line() == "All is well: nothing but 360 rows of the arena of BTCUSDT was issued yet"
    store.issue([LAST], version="2")
    store.issue([LAST - DAY], version="2", at=SOON + DAY)
    assert store.faults() == []


def test_rows_that_were_changed_removed_or_added_are_named(store: Store) -> None:
    rows = store.rows()
    day = pl.col("origin_date") == LAST
    store.tables.upsert(ARENA_FORECASTS, rows.filter(day).with_columns(q500=pl.col("q500") + 1e-9))
    assert "the rows of flat 1 hash to" in store.faults()[0]
    store.tables.upsert(ARENA_FORECASTS, rows.filter(day).with_columns(issued_at=SOON - DAY * 0.01))
    assert "say that they were issued at another time" in store.faults()[0]
    store.tables.delete_keys(ARENA_FORECASTS, rows.filter(day).select(ARENA_FORECASTS.key))
    assert "record 3: the rows of flat 1 are gone" in store.faults()[0]
    store.tables.upsert(ARENA_FORECASTS, rows)
    store.tables.upsert(ARENA_FORECASTS, rows.filter(day).with_columns(model=pl.lit("better")))
    (fault,) = store.faults()
    assert "rows of better 1 without a record" in fault


def test_candles_and_records_that_were_changed_are_named(store: Store) -> None:
    day = pl.col("date") == LAST - 2 * DAY
    store.tables.upsert(RAW_KLINES, DATA.candles.filter(day).with_columns(high=pl.col("high") + 1))
    assert any("candles up to" in fault and "arena: record 1" in fault for fault in store.faults())
    store.tables.upsert(RAW_KLINES, DATA.candles)
    records = store.tables.read(ARENA_RECORDS)
    store.tables.upsert(ARENA_RECORDS, records.filter(seq=1).with_columns(kind=pl.lit("live")))
    said = "\n".join(store.faults())
    assert "record 1: its content hashes to" in said
    assert "record 1: it says live, but was issued at" in said
    assert "as the record before it, which hashes to" in said


def test_candles_stored_before_their_day_was_over_are_named_without_a_record(store: Store) -> None:
    early = DATA.candles.tail(1).with_columns(pl.col("ingested_at") - 2 * DAY)
    store.tables.upsert(RAW_KLINES, early)
    told = [fault for fault in store.faults() if "before its day was over" in fault]
    assert told == [
        f"arena: a row of raw_klines of {early.item(0, 'date')} was stored before its day was over"
    ]


def test_a_chain_that_was_rolled_back_is_missed_by_what_was_published(store: Store) -> None:
    records, rows = store.tables.read(ARENA_RECORDS), store.rows()
    store.tables.delete_keys(ARENA_RECORDS, records.filter(seq=3).select(ARENA_RECORDS.key))
    store.tables.delete_keys(ARENA_FORECASTS, rows.filter(origin_date=LAST).select(ARENA_FORECASTS.key))
    (fault,) = store.faults()
    assert "record 3: the head published at" in fault


def test_rows_that_a_dead_run_did_not_write_come_back_as_they_were_issued(store: Store) -> None:
    rows = store.rows()
    store.tables.delete_keys(ARENA_FORECASTS, rows.filter(origin_date=LAST).select(ARENA_FORECASTS.key))
    assert store.issue([LAST], at=SOON + 5 * DAY).refused == set()
    assert store.rows().equals(rows)
    assert store.faults() == []


def test_what_was_issued_in_time_is_never_replaced(store: Store) -> None:
    rows = store.rows()
    store.tables.delete_keys(ARENA_FORECASTS, rows.select(ARENA_FORECASTS.key))
    issued = store.issue([LAST - DAY, LAST], level=1.1, at=SOON + 5 * DAY)
    assert issued.refused == {(LAST, "flat", "1")}
    assert store.rows()["origin_date"].unique().to_list() == [LAST - DAY]
    assert any("the rows of flat 1 are gone" in fault for fault in store.faults())


def test_candles_that_change_meanwhile_and_clocks_that_disagree_stop_it(store: Store) -> None:
    day = pl.col("date") == LAST - 2 * DAY
    later = DATA.candles.filter(day).with_columns(high=pl.col("high") + 1)
    store.tables.upsert(RAW_KLINES, later)
    with pytest.raises(LedgerError, match="changed while forecasters were asked"):
        store.issue([LAST], version="2")
    store.tables.upsert(RAW_KLINES, DATA.candles)
    result = ForecastResult("ok", "", np.full((90, 21), 1.0))
    rows = forecasts_frame(SYMBOL, [Attempt("flat", "3", LAST, result)])
    with pytest.raises(LedgerError, match="cannot be told live from back-filled"):
        issue_arena(store.tables, rows, SERIES, Clock(SOON, SOON + dt.timedelta(hours=1)), 6)


def daily(store: Store, records: int) -> list[str]:
    """What every day's check of the newest ``records`` finds."""
    found = check_arena(DeltaTables(str(store.root)), SYMBOL, newest=records)
    return [str(fault) for fault in found if not isinstance(fault, int)]


def test_every_day_s_check_hashes_the_newest_and_follows_the_whole_chain(store: Store) -> None:
    assert sum(n for n in check_arena(store.tables, SYMBOL, newest=1) if isinstance(n, int)) == 90
    assert daily(store, 1) == []
    rows = store.rows()
    for day, hashed in ((LAST - 3 * DAY, 4), (LAST, 1)):
        altered = rows.filter(origin_date=day).with_columns(q500=pl.col("q500") + 1e-9)
        store.tables.upsert(ARENA_FORECASTS, altered)
        assert "the rows of flat 1 hash to" in daily(store, hashed)[0]
        store.tables.upsert(ARENA_FORECASTS, rows)
    records = store.tables.read(ARENA_RECORDS)
    store.tables.upsert(ARENA_RECORDS, records.filter(seq=0).with_columns(note=pl.lit("a word")))
    assert any("arena: record 1: it names" in fault for fault in daily(store, 1))


def forged(store: Store, change: pl.DataFrame) -> None:
    """Put ``change`` in place of the whole table of records."""
    there = store.tables.read(ARENA_RECORDS)
    store.tables.delete_keys(ARENA_RECORDS, there.select(ARENA_RECORDS.key))
    store.tables.insert(ARENA_RECORDS, change)


@pytest.mark.parametrize("attack", ["delete", "alter", "reorder", "fork", "cut off"])
def test_whatever_is_done_to_a_record_is_named_every_day_and_nothing_is_added_after_it(
    store: Store, attack: str
) -> None:
    seen = store.sink.published(published_name(SYMBOL))
    records = store.tables.read(ARENA_RECORDS).sort("seq")
    kept = [record for record, _ in read_arena_records(store.tables, SYMBOL)]
    other = replace(kept[-1], note="another forecast altogether")
    changes = {
        "delete": (records.filter(pl.col("seq") != 1), "record 1 is missing: records were removed"),
        "alter": (
            records.with_columns(note=pl.when(pl.col("seq") == 3).then(pl.lit("x")).otherwise("note")),
            "record 3: its content hashes to",
        ),
        "reorder": (
            records.with_columns(seq=pl.col("seq").replace({1: 2, 2: 1})),
            "as the record before it, which hashes to",
        ),
        "fork": (
            pl.concat([records.head(3), records_frame([other], ARENA_RECORDS)]),
            "record 3 of BTCUSDT-arena",
        ),
        "cut off": (records.head(3), "record 3 of BTCUSDT-arena"),
    }
    change, told = changes[attack]
    forged(store, change)
    named = [*daily(store, 2), lost(store.tables, SYMBOL, seen, ARENA_RECORDS)]
    assert any(told in fault for fault in named), named
    assert store.faults(), "btc verify names it, too"
    if attack in ("fork", "cut off"):
        with pytest.raises(LedgerError, match=r"record 3 of BTCUSDT-arena .*arena_records back from a copy"):
            store.issue([LAST], version="2", heads=seen)
        assert store.tables.read(ARENA_RECORDS).height == change.height, "nothing was written"
