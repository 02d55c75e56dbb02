"""Forgeries of the records themselves by whoever holds the store: `btc verify` names each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.digest import forecast_digests
from btc_assets.ledger.issue import issue
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.records import ISSUE_RECORDS, IssueRecord, Snapshot, records_frame
from btc_assets.ledger.verification.report import Report
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.series import CANDLES
from btc_assets.storage.delta.store import DeltaTables

D = dt.date(2024, 1, 12)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def issued_once(empty, tmp_path_factory: pytest.TempPathFactory):
    """Genesis, two back-filled days, three live ones: records 1 to 5."""
    store = empty.copy(tmp_path_factory.mktemp("issued") / "store")
    store.issue([D - n * DAY for n in (5, 4)], store.in_time(D - 2 * DAY))
    for n in (2, 1, 0):
        store.issue([D - n * DAY])
    return store


@pytest.fixture
def issued(issued_once, tmp_path: Path):
    return issued_once.copy(tmp_path / "store")


class PublishedHeads:
    """A sink that holds what a test says."""

    location = "elsewhere"

    def __init__(self, *heads: Published) -> None:
        self.heads = list(heads)

    def publish(self, head: object) -> None:
        raise NotImplementedError

    def published(self, symbol: str) -> list[Published]:
        return self.heads


def check(store, **options: Any) -> Report:
    return verify(
        DeltaTables(str(store.root)), store.registry, store.symbol, features=store.features, **options
    )


def fault_text(report: Report) -> str:
    assert not report.ok, report.line()
    return "\n".join(str(fault) for fault in report.faults)


def forge(store, change: Callable[[list[IssueRecord]], list[IssueRecord]]) -> None:
    """Write the chain anew, its places and links made good."""
    chained: list[IssueRecord] = []
    for seq, record in enumerate(change(store.records())):
        previous = chained[-1].sha256() if chained else record.previous_sha256
        chained.append(replace(record, seq=seq, previous_sha256=previous))
    store.tables.delete_keys(ISSUE_RECORDS, store.tables.read(ISSUE_RECORDS, ["symbol", "seq"]))
    store.tables.insert(ISSUE_RECORDS, records_frame(chained))


def newest(**values: Any) -> Callable[[list[IssueRecord]], list[IssueRecord]]:
    return lambda records: [*records[:-1], replace(records[-1], **values)]


def clocks(at: dt.datetime) -> dict[str, dt.datetime]:
    return {"issued_at": at, "local_clock": at, "source_clock": at}


def test_the_honest_store_is_well(issued) -> None:
    assert check(issued).ok, check(issued).line()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"vintages": ()}, "it names no model"),
        ({"vintages": {"unreadable": "["}}, "cannot be read"),
        ({"vintages": ({"model": "mlp"},)}, "cannot be read"),
        ({"settings": {"unreadable": "?"}}, "settings cannot be read"),
        ({"inputs": {}}, "does not say what it was computed from"),
        ({"features_sha256": ""}, "does not say what it was computed from"),
        ({"rows": 99999}, "99999"),
        ({"rows": 0}, "0 rows"),
        ({"rows_sha256": "x"}, "rows that hash to 'x'"),
        ({"local_clock": dt.datetime(2018, 1, 1, tzinfo=dt.UTC)}, "clocks do not agree"),
        ({"settings": {"live_hours": 0}}, "not 1 to 24"),
        ({"settings": {"live_hours": True}}, "not 1 to 24"),
        ({"kind": "late"}, "it says late"),
    ],
)
def test_a_record_that_contradicts_itself_is_named(issued, values: dict[str, Any], name: str) -> None:
    forge(issued, newest(**values))
    assert name in fault_text(check(issued))


@pytest.mark.parametrize(
    "entry",
    [
        {"vintage": "0"},
        {"vintage": "2024-W01-1"},
        {"vintage": "2024-01-01T00:00:00"},
        {"revision": "0"},
        {"revision": -1},
        {"manifest_sha256": ""},
        {"model": "../mlp"},
        {"also": 1},
    ],
)
def test_a_vintage_that_cannot_be_read_is_a_fault_not_left_out(issued, entry: dict[str, Any]) -> None:
    first, *rest = issued.records()[-1].vintages
    forge(issued, newest(vintages=[{**first, **entry}, *rest]))
    assert "an entry of its vintages cannot be read" in fault_text(check(issued))


def test_perfect_hindsight_without_inputs_is_refused(issued) -> None:
    """Forty perfect forecasts, said to be back-filled, whose vintage entries nobody can read."""
    origin = D - 8 * DAY
    rows = issued.rows([origin]).with_columns(issued_at=pl.lit(issued.records()[-1].issued_at))
    issued.tables.upsert(FORECASTS, rows.select(FORECASTS.schema.names()))
    forged = replace(
        issued.records()[-1],
        kind="back-filled",
        origin_date=origin,
        rows_sha256=forecast_digests(rows)[origin],
        vintages=[{"model": "oracle"}],
        inputs={},
        features_sha256="",
    )
    forge(issued, lambda records: [*records, forged])
    assert "cannot be read" in fault_text(check(issued))


def test_backdated_live_records_after_an_extra_genesis_take_back_what_is_later(issued) -> None:
    at = issued.in_time(D - 4 * DAY).now

    def backdated(records: list[IssueRecord]) -> list[IssueRecord]:
        begun = replace(records[0], note="restarted: a clock was wrong", **clocks(at - HOUR))
        begun = replace(begun, origin_date=begun.issued_at.date())
        live = replace(records[-1], kind="live", origin_date=D - 4 * DAY, supersedes=2, **clocks(at))
        return [*records, begun, live]

    head = Published("BTCUSDT", 5, issued.records()[-1].sha256(), issued.records()[-1].issued_at)
    forge(issued, backdated)
    report = check(issued, sink=PublishedHeads(head))
    assert "before it was published" in fault_text(report)
    assert report.live <= 1, "records that are later than the restart do not count"


def test_a_restart_that_nothing_called_for_is_refused(issued) -> None:
    later = issued.records()[-1].issued_at + HOUR
    forge(issued, lambda records: [*records, replace(records[0], note="restarted: so", **clocks(later))])
    assert "the record before it is not later" in fault_text(check(issued))


def test_rows_name_the_vintages_of_their_record(issued) -> None:
    rows = issued.stored(D).with_columns(vintage=pl.lit(D - 20 * DAY))
    issued.tables.upsert(FORECASTS, rows)
    forge(issued, newest(rows_sha256=forecast_digests(rows)[D]))
    assert "say vintage 2023-12-23, the record does not" in fault_text(check(issued))


def test_a_record_may_not_know_less_than_one_before_it(issued) -> None:
    last = issued.records()[-1]
    forge(issued, newest(inputs={CANDLES.name: last.inputs[CANDLES.name], "raw_klines_4h": Snapshot()}))
    assert "does not say what it was computed from" in fault_text(check(issued))


def test_live_hours_once_stated_are_stated_by_every_later_record(issued) -> None:
    def drop(records: list[IssueRecord]) -> list[IssueRecord]:
        return [*records[:-2], replace(records[-2], settings={"live_hours": 6}), records[-1]]

    forge(issued, drop)
    assert "does not say within how many hours" in fault_text(check(issued))


def test_a_forecast_issued_hours_after_the_close_is_late_and_stays(store) -> None:
    inputs, rows = store.inputs([D]), store.rows([D])
    limited = replace(inputs, settings={"live_hours": 6})
    at = store.in_time(D).now + 7 * HOUR
    late = issue(store.tables, store.registry, rows, limited, Clock(at, at))
    assert late.outcomes == {D: "late"}
    assert store.records()[-1].kind == "late"
    report = check(store)
    assert report.ok, report.line()
    assert (report.live, report.late) == (0, 1)
    candle = store.tables.read(RAW_KLINES, start=D, end=D + DAY)
    store.store_candles(candle.with_columns(pl.col("volume") + 1), at + HOUR)
    limited = replace(store.inputs([D]), settings={"live_hours": 6})
    again = issue(store.tables, store.registry, store.rows([D]), limited, Clock(at + 2 * HOUR, at + 2 * HOUR))
    assert again.outcomes == {D: "kept"}
    forge(store, newest(kind="live"))
    assert "it says live" in fault_text(check(store))
