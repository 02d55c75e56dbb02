"""The pages say by whose clock the ledger is dated."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest
from dash_data import SYMBOL

from btc_assets.ledger.publishing.timestamps import Stamp, Stamps
from btc_assets.ledger.records import ISSUE_RECORDS, IssueRecord, records_frame
from btc_assets.storage.delta.store import DeltaTables
from btc_dash.data.cache import TableCache
from btc_dash.data.ledger import LedgerHead, ledger_head
from btc_dash.pages.about import _ledger
from btc_dash.pages.track_record import _late

BEGAN = dt.date(2026, 11, 20)


def at(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, 6, tzinfo=dt.UTC)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    """A chain with live forecasts of 21, 22 and 23 November."""
    records = []
    for seq in range(4):
        time = at(21 + seq)
        kind = "live" if seq else "genesis"
        previous = records[-1].sha256() if records else "0" * 64
        records.append(
            IssueRecord(
                symbol=SYMBOL,
                began=BEGAN,
                seq=seq,
                kind=kind,
                origin_date=BEGAN + dt.timedelta(days=seq),
                issued_at=time,
                local_clock=time,
                source_clock=time,
                previous_sha256=previous,
            )
        )
    tables = DeltaTables(str(tmp_path))
    tables.insert(ISSUE_RECORDS, records_frame(records))
    return tables


def stamp(tables: DeltaTables, seq: int, **more: object) -> None:
    rows = tables.read(ISSUE_RECORDS)
    sha = rows.filter(seq=seq)["record_sha256"][0]
    new = Stamp(SYMBOL, seq, sha, "ots", BEGAN, at(21 + seq), proof="eA==")
    Stamps(tables, "ots").save([dataclasses.replace(new, **more)])


def head(tables: DeltaTables) -> LedgerHead:
    found = ledger_head(TableCache(tables, SYMBOL))
    assert found is not None
    return found


def shown(found: LedgerHead) -> str:
    return json.dumps(
        [part.to_plotly_json() for part in _ledger(found)], default=lambda c: c.to_plotly_json()
    )


def test_without_another_clock_it_is_the_operators_own_word(tables: DeltaTables) -> None:
    found = head(tables)
    assert found.clock == "by the operator's own word"
    assert found.dates.sentence() == (
        "No clock but the operator's says when live forecasts (3) were issued: that is the operator's "
        "own word"
    )
    assert found.clock in shown(found)


def test_a_block_is_named_with_its_day_and_what_it_dates_in_time(tables: DeltaTables) -> None:
    stamp(tables, 2, dated_at=at(23, 6), dated_by="block 912,345")
    stamp(tables, 3)
    found = head(tables)
    assert found.clock == "by the operator's own word (waiting for another clock)"
    assert found.dates.sentence() == (
        "1 of 3 live forecasts were published before their first target closed by a clock that is not the "
        "operator's (record 2: block 912,345, 23 Nov 2026); when the others were issued is the operator's "
        "own word"
    )
    stamp(tables, 3, dated_at=at(24, 6), dated_by="block 912,500")
    assert head(tables).clock == "block 912,500, 24 Nov 2026"
    assert "block 912,500, 24 Nov 2026" in shown(head(tables))


def test_late_forecasts_are_counted_apart(tables: DeltaTables) -> None:
    assert head(tables).late == 0
    assert _late(head(tables)) == ""
    rows = tables.read(ISSUE_RECORDS)
    tables.upsert(ISSUE_RECORDS, rows.filter(seq=2).with_columns(kind=pl.lit("late")))
    found = head(tables)
    assert (found.late, found.dates.live) == (1, 2)
    assert "1 forecast was late: before the first target closed" in _late(found)


def test_a_block_two_hours_before_the_deadline_is_too_late(tables: DeltaTables) -> None:
    stamp(tables, 3, dated_at=at(24, 22), dated_by="block 912,500")
    assert head(tables).dates.by_others == 0, "its time may be two hours off"
    stamp(tables, 3, dated_at=at(24, 21), dated_by="block 912,500")
    assert head(tables).dates.by_others == 1


def test_a_stamp_of_another_chain_dates_nothing(tables: DeltaTables) -> None:
    stamp(tables, 3, record_sha256="f" * 64, dated_at=at(24, 6), dated_by="block 912,500")
    assert head(tables).dates.newest is None
