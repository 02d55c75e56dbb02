"""What was issued stays; what is new gets a record; two writers cannot both win."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from btc_assets.contracts import FORECASTS, RAW_KLINES, RAW_KLINES_4H, TableSpec
from btc_assets.errors import LedgerError
from btc_assets.ledger import issue as issue_module
from btc_assets.ledger.chain import restart_chain
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.digest import forecast_digests, series_digests
from btc_assets.ledger.issue import issue
from btc_assets.ledger.plan import Proposal, plan_issue
from btc_assets.ledger.records import ISSUE_RECORDS, NOTHING, extended, read_records
from btc_assets.market.calendar import DAY
from btc_assets.series import CANDLES
from btc_assets.storage.bitemporal import known, versions
from btc_assets.storage.delta.store import DeltaTables

D = dt.date(2024, 1, 12)
HOUR = dt.timedelta(hours=1)


def late(store, origin: dt.date, by: dt.timedelta = 30 * DAY) -> Clock:
    at = store.in_time(origin).now + by
    return Clock(at, at)


def restated(store, day: dt.date) -> pl.DataFrame:
    """The stored candle of ``day`` with more volume."""
    candle = store.tables.read(RAW_KLINES, start=day, end=day + DAY)
    return candle.with_columns(pl.col("volume") + 1000.0)


def date_candles(store, at: dt.datetime) -> None:
    """Say that all candles were stored at ``at``."""
    stamp = pl.lit(at, dtype=RAW_KLINES.schema["ingested_at"])
    store.tables.upsert(RAW_KLINES, store.tables.read(RAW_KLINES).with_columns(ingested_at=stamp))


def test_a_forecast_made_in_time_is_live_and_says_what_it_saw(store) -> None:
    issued = store.issue([D])
    assert issued.outcomes == {D: "live"}
    genesis, record = store.records()
    assert (genesis.kind, genesis.seq, genesis.previous_sha256) == ("genesis", 0, NOTHING)
    assert (record.kind, record.seq, record.previous_sha256) == ("live", 1, genesis.sha256())
    assert record.rows == 9
    assert record.rows_sha256 == forecast_digests(store.stored(D))[D]
    assert record.snapshot(CANDLES).sha256 == series_digests(CANDLES, store.tables.read(RAW_KLINES), [D])[D]
    assert [v["manifest_sha256"] for v in record.vintages] == [
        store.models[name].manifest_sha256 for name in ("lstm", "mlp")
    ]
    assert record.settings == {"refit_every": 7}
    assert set(store.stored(D)["issued_at"]) == {record.issued_at}
    assert issued.head.record_sha256 == record.sha256() == read_records(store.tables, "BTCUSDT")[-1][1]


def test_a_forecast_made_after_its_first_target_closed_is_back_filled(store) -> None:
    in_time = store.in_time(D)
    last_moment = in_time.now + dt.timedelta(hours=23, minutes=54, seconds=59)
    assert store.issue([D - DAY], Clock(last_moment - DAY, last_moment - DAY)).outcomes[D - DAY] == "live"
    too_late = in_time.now + dt.timedelta(hours=23, minutes=55)
    assert store.issue([D], Clock(too_late, too_late)).outcomes[D] == "back-filled"


def test_one_call_issues_many_origins_in_one_commit_each(store) -> None:
    origins = [dt.date(2024, 1, d) for d in range(3, 13)]
    store.issue([dt.date(2024, 1, 2)])
    versions = [store.tables.version(t) for t in (FORECASTS, ISSUE_RECORDS)]
    issued = store.issue(origins)
    assert [issued.outcomes[o] for o in origins] == ["back-filled"] * 9 + ["live"]
    assert [store.tables.version(t) for t in (FORECASTS, ISSUE_RECORDS)] == [v + 1 for v in versions]
    records = store.records()
    assert [r.seq for r in records] == list(range(12))
    assert [r.previous_sha256 for r in records[1:]] == [r.sha256() for r in records[:-1]]


def test_C4_the_same_forecast_again_changes_nothing(store) -> None:
    first = store.issue([D])
    before = {t.name: store.tables.version(t) for t in (FORECASTS, ISSUE_RECORDS)}
    again = store.issue([D], late(store, D))
    assert again.outcomes == {D: "unchanged"}
    assert again.head == first.head
    assert {t.name: store.tables.version(t) for t in (FORECASTS, ISSUE_RECORDS)} == before


def test_D11_a_live_forecast_is_kept_when_its_candles_are_restated(store) -> None:
    store.issue([D])
    stored = store.stored(D)
    store.store_candles(restated(store, D), store.in_time(D).now + HOUR)
    issued = store.issue([D], late(store, D, 2 * HOUR))
    assert issued.outcomes == {D: "kept"}
    assert "kept what was issued" in issued.in_words()
    assert store.stored(D).equals(stored)
    record = store.records()[-1]
    seen = known(versions(store.tables, "BTCUSDT"), record.issued_at)
    assert record.snapshot(CANDLES).sha256 == series_digests(CANDLES, seen, [D])[D]
    assert record.snapshot(CANDLES).sha256 != series_digests(CANDLES, store.tables.read(RAW_KLINES), [D])[D]


def test_D11_a_back_filled_forecast_gives_way_and_stays_readable(store) -> None:
    store.issue([D], late(store, D))
    old_rows, old_version = store.stored(D), store.tables.version(FORECASTS)
    store.store_candles(restated(store, D), late(store, D).now + HOUR)
    issued = store.issue([D], late(store, D, 31 * DAY))
    assert issued.outcomes == {D: "replaced"}
    _, first, second = store.records()
    assert (second.kind, second.supersedes) == ("back-filled", first.seq)
    assert forecast_digests(store.stored(D))[D] == second.rows_sha256 != first.rows_sha256
    assert store.tables.read(FORECASTS, version=old_version).equals(old_rows)


def test_rows_that_a_new_forecast_no_longer_has_are_removed(store) -> None:
    store.issue([D], late(store, D))
    store.store_candles(restated(store, D), late(store, D).now + HOUR)
    inputs, rows = store.inputs([D]), store.rows([D]).filter(pl.col("horizon") < 3)
    issue(store.tables, store.registry, rows, inputs, late(store, D, 31 * DAY))
    assert store.stored(D)["horizon"].max() == 2
    assert forecast_digests(store.stored(D))[D] == store.records()[-1].rows_sha256


def test_rows_altered_after_they_were_issued_are_put_back(store) -> None:
    store.issue([D - DAY, D])
    stored = store.stored(D)
    store.tables.upsert(FORECASTS, stored.head(1).with_columns(pl.col("q500") * 1.0001))
    issued = store.issue([D - DAY, D], late(store, D))
    assert issued.outcomes == {D - DAY: "unchanged", D: "restored"}
    assert store.stored(D).equals(stored)


class Counted:
    """A store that notes each entry into it."""

    def __init__(self, tables: DeltaTables) -> None:
        self.tables = tables
        self.entries: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def noted(spec: TableSpec, *args: Any, **kwargs: Any) -> Any:
            self.entries.append(f"{name} {spec.name}")
            return getattr(self.tables, name)(spec, *args, **kwargs)

        return noted


def test_a_day_is_issued_in_seven_entries_into_the_store_reads_before_writes(store) -> None:
    store.issue([D - DAY])
    inputs, rows, counted = store.inputs([D]), store.rows([D]), Counted(store.tables)
    issue(counted, store.registry, rows, inputs, store.in_time(D))
    assert counted.entries == [
        "version raw_klines",
        "version raw_klines_4h",
        "version raw_implied_volatility",
        "read issue_records",
        "read forecasts",
        "insert issue_records",
        "upsert forecasts",
    ]


def test_the_decision_needs_no_store(store) -> None:
    proposal = Proposal(store.rows([D - DAY, D]), store.inputs([D - DAY, D]), store.in_time(D))
    begun = plan_issue(proposal, None, FORECASTS.empty())
    assert begun.outcomes == {D - DAY: "back-filled", D: "live"}
    assert [r.kind for r in begun.records] == ["genesis", "back-filled", "live"]
    assert begun.head.record_sha256 == begun.records[-1].sha256()
    chain = extended(None, begun.records)
    again = plan_issue(proposal, chain, begun.rows)
    assert (set(again.outcomes.values()), list(again.records)) == ({"unchanged"}, [])
    damaged = begun.rows.with_columns(pl.col("q500") * 1.01)
    assert set(plan_issue(proposal, chain, damaged).outcomes.values()) == {"restored"}
    other = Proposal(proposal.rows.with_columns(pl.col("q975") * 1.01), proposal.inputs, proposal.clock)
    changed = plan_issue(other, chain, begun.rows)
    assert changed.outcomes == {D - DAY: "replaced", D: "kept"}
    assert [(r.origin_date, r.supersedes) for r in changed.records] == [(D - DAY, 1)]
    assert set(changed.rows["origin_date"]) == {D - DAY}, "what was kept is not written"


KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/../support"]
from conftest import LedgerStore
store = LedgerStore(Path(sys.argv[2]))
upsert = store.tables.upsert
def killed(spec, frame):
    if spec.name == "forecasts":
        os.kill(os.getpid(), signal.SIGKILL)
    return upsert(spec, frame)
store.tables.upsert = killed
store.issue([dt.date(2024, 1, 12)])
"""


def test_T1_killed_between_the_record_and_the_rows_the_next_run_puts_the_rows_there(store) -> None:
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(store.root)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [r.kind for r in store.records()] == ["genesis", "live"]
    assert not store.tables.exists(FORECASTS)
    issued = store.issue([D], late(store, D))
    assert issued.outcomes == {D: "restored"}
    assert set(store.stored(D)["issued_at"]) == {store.records()[-1].issued_at}


def test_T7_two_instances_issuing_the_same_day_agree_on_one_record(store, monkeypatch) -> None:
    store.issue([D - DAY])
    inputs, rows = store.inputs([D]), store.rows([D])
    both_have_read = threading.Barrier(2)
    read_chain, seen = issue_module.read_chain, threading.local()

    def read_and_wait(tables, symbol, origins):
        chain = read_chain(tables, symbol, origins)
        if not hasattr(seen, "once"):
            seen.once = True
            both_have_read.wait(20)
        return chain

    monkeypatch.setattr(issue_module, "read_chain", read_and_wait)
    found: list[str] = []

    def run(minutes: int) -> None:
        at = store.in_time(D).now + dt.timedelta(minutes=minutes)
        done = issue(store.tables, store.registry, rows, inputs, Clock(at, at))
        found.append(done.outcomes[D])

    threads = [threading.Thread(target=run, args=(m,)) for m in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("live") == 1
    assert set(found) <= {"live", "unchanged", "restored"}
    records = store.records()
    assert [r.origin_date for r in records if r.kind == "live"] == [D - DAY, D]
    assert set(store.stored(D)["issued_at"]) == {records[-1].issued_at}


@pytest.mark.parametrize(("wrong", "apart"), [(HOUR, "1:00:00"), (-HOUR, "1:00:00"), (365 * DAY, "365 days")])
def test_C5_a_wrong_clock_refuses_a_live_forecast(store, wrong, apart) -> None:
    right = store.in_time(D).now
    with pytest.raises(LedgerError, match=rf"{apart}.*(set this machine's clock)"):
        store.issue([D], Clock(right + wrong, right))
    assert not store.tables.exists(FORECASTS)


def test_C5_a_wrong_clock_does_not_hinder_a_back_fill_but_is_noted(store) -> None:
    right = late(store, D).now
    store.issue([D - DAY], Clock(right + HOUR, right))
    record = store.records()[-1]
    assert record.kind == "back-filled"
    assert record.issued_at == right + HOUR
    assert "differed by 1:00:00" in record.note


def test_C5_clocks_set_back_together_cannot_issue_before_the_newest_record(store) -> None:
    store.issue([D], late(store, D))
    earlier = store.in_time(D - DAY)
    with pytest.raises(LedgerError, match="a clock was wrong then or is wrong now"):
        store.issue([D - DAY], earlier)


def test_C5_clocks_set_back_before_the_candles_were_stored_are_found(store) -> None:
    with pytest.raises(LedgerError, match=r"was stored at .* a clock is wrong"):
        store.issue([D - DAY], store.in_time(D - 3 * DAY))


def test_a_few_seconds_between_hosts_do_not_break_the_order(store) -> None:
    store.issue([D - DAY, D])
    later_record = store.records()[-1].issued_at
    store.store_candles(restated(store, D - DAY), later_record)
    at = later_record - dt.timedelta(seconds=2)
    store.tables.upsert(
        RAW_KLINES,
        store.tables.read(RAW_KLINES).with_columns(
            ingested_at=pl.lit(at).cast(RAW_KLINES.schema["ingested_at"])
        ),
    )
    store.issue([D - 2 * DAY], Clock(at, at))
    assert store.records()[-1].issued_at == later_record


def test_an_origin_whose_day_is_not_over_is_refused(store) -> None:
    early = store.in_time(D).now - dt.timedelta(minutes=10)
    for spec in (RAW_KLINES, RAW_KLINES_4H):
        stamp = pl.lit(early - HOUR).cast(spec.schema["ingested_at"])
        store.tables.upsert(spec, store.tables.read(spec).with_columns(ingested_at=stamp))
    with pytest.raises(LedgerError, match="is not over yet"):
        store.issue([D], Clock(early, early))


def test_after_a_clock_that_was_a_year_ahead_the_chain_can_begin_anew(store) -> None:
    store.issue([D], late(store, D, 365 * DAY))
    now = late(store, D, 40 * DAY)
    store.store_candles(store.tables.read(RAW_KLINES), now.now)
    with pytest.raises(LedgerError, match="btc ledger restart"):
        store.issue([D - DAY], now)
    head = restart_chain(store.tables, "BTCUSDT", now, "the clock of the old host was a year ahead")
    assert store.issue([D - DAY], now).outcomes == {D - DAY: "back-filled"}
    restart, record = store.records()[-2:]
    assert (restart.kind, restart.seq, record.previous_sha256) == ("genesis", head.seq, restart.sha256())
    with pytest.raises(LedgerError, match="can go on as it is"):
        restart_chain(store.tables, "BTCUSDT", now, "again")


def test_a_candle_restated_while_forecasts_were_computed_is_noticed(store) -> None:
    inputs, rows = store.inputs([D]), store.rows([D])
    store.store_candles(restated(store, D), store.in_time(D).now)
    clock = late(store, D, HOUR)
    with pytest.raises(LedgerError, match="changed while the forecasts were computed"):
        issue(store.tables, store.registry, rows, inputs, clock)


def test_M4_a_swapped_model_is_refused(store) -> None:
    inputs, rows = store.inputs([D]), store.rows([D])
    inputs.vintages[0, "manifest_sha256"] = "f" * 64
    with pytest.raises(LedgerError, match="swapped or lost"):
        issue(store.tables, store.registry, rows, inputs, store.in_time(D))


def test_a_vintage_from_the_origins_future_is_refused(store) -> None:
    inputs = store.inputs([D])
    rows = store.rows([D]).with_columns(vintage=pl.lit(D + DAY))
    with pytest.raises(LedgerError, match="no cutoff may lie after the origin"):
        issue(store.tables, store.registry, rows, inputs, store.in_time(D))


@pytest.mark.parametrize(
    "damage",
    [
        pl.col("q500").neg().alias("q500"),
        pl.lit(float("nan")).alias("q975"),
        (pl.col("q975") / 2).alias("q975"),
        pl.lit(D).alias("target_date"),
        pl.lit(None, dtype=pl.Float64).alias("q025"),
    ],
)
def test_rows_that_cannot_be_a_forecast_are_refused(store, damage) -> None:
    inputs = store.inputs([D])
    with pytest.raises(LedgerError, match="cannot be a forecast"):
        issue(store.tables, store.registry, store.rows([D]).with_columns(damage), inputs, store.in_time(D))
    assert not store.tables.exists(ISSUE_RECORDS)


def test_a_store_that_had_forecasts_before_begins_a_chain_that_dates_them_to_now(store) -> None:
    old = store.rows([D - 2 * DAY, D - DAY]).with_columns(
        issued_at=pl.lit(store.in_time(D - DAY).now).cast(FORECASTS.schema["issued_at"])
    )
    store.tables.upsert(FORECASTS, old.select(FORECASTS.schema.names()))
    now = late(store, D, HOUR)
    store.issue([D], now)
    genesis, first, second, live = store.records()
    assert "2 forecasts were here before" in genesis.note
    assert [r.kind for r in (first, second, live)] == ["back-filled", "back-filled", "live"]
    assert set(store.tables.read(FORECASTS)["issued_at"]) == {now.now}


def test_C5_a_4_hour_candle_from_the_future_refuses_a_live_forecast(store) -> None:
    ahead = pl.lit(store.in_time(D).now + HOUR).cast(RAW_KLINES_4H.schema["ingested_at"])
    bar = store.tables.read(RAW_KLINES_4H, start=D).tail(1)
    store.tables.upsert(RAW_KLINES_4H, bar.with_columns(ingested_at=ahead))
    with pytest.raises(LedgerError, match=r"candle of 2024-01-12 20:00 was stored at .*a clock is wrong"):
        store.issue([D])
    assert not store.tables.exists(ISSUE_RECORDS)


def test_features_that_were_not_derived_from_the_4_hour_candles_beside_them_are_refused(store) -> None:
    """The record names both, and a rebuild derives the one from the other."""
    bars = store.tables.read(RAW_KLINES_4H, start=D - DAY, end=D)
    store.tables.upsert(RAW_KLINES_4H, bars.with_columns(pl.col("high") * 1.01))
    with pytest.raises(LedgerError, match=r"features of 2024-01-11 and 0 more.*engineered_features from"):
        store.issue([D])
    assert store.issue([D - 2 * DAY]).outcomes, "what lies before is as it was"
    store._derive()
    assert store.issue([D]).outcomes[D] == "live"
