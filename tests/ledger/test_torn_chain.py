"""A chain that lost its end is never extended: neither after a torn log nor after deleted records."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import polars as pl
import pytest

from btc_assets.contracts import FORECASTS
from btc_assets.errors import CorruptData, LedgerError
from btc_assets.ledger.continuity import check_continuity, known_heads, lost, mark_path, remember
from btc_assets.ledger.issue import issue
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_assets.market.calendar import DAY
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.delta.vacuum import vacuum

D = dt.date(2024, 1, 12)


@pytest.fixture
def issued(store):
    for n in (2, 1):
        store.issue([D - n * DAY])
    return store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"BTC_DATA_DIR": str(tmp_path / "data")}, ledger_sink=str(tmp_path / "heads.jsonl"))


def go_on(store, settings: Settings) -> None:
    """Issue the next day as the asset does, in a process that remembers nothing."""
    store.tables = DeltaTables(str(store.root))
    heads, _ = known_heads(settings, store.tables)
    result = issue(
        store.tables, store.registry, store.rows([D]), store.inputs([D]), store.in_time(D), heads=heads
    )
    remember(settings, result.head)


def delete_newest(store) -> None:
    key = store.tables.read(ISSUE_RECORDS, ["symbol", "seq"]).tail(1)
    store.tables.delete_keys(ISSUE_RECORDS, key)


@pytest.mark.parametrize("left", [0.0, 0.5])
def test_T4_a_torn_log_of_records_is_never_repaired_by_a_write(
    issued, settings: Settings, left: float
) -> None:
    folder = issued.root / "tables" / ISSUE_RECORDS.name
    entry = max((folder / "_delta_log").glob("*.json"))
    content = entry.read_bytes()
    entry.write_bytes(content[: int(len(content) * left)])
    files = {path.name for path in folder.glob("*.parquet")}
    with pytest.raises(CorruptData, match=r"is torn.*Nothing was written.*btc restore"):
        go_on(issued, settings)
    assert entry.exists(), "it is not moved aside"
    DeltaTables(str(issued.root)).read(FORECASTS)
    assert {path.name for path in folder.glob("*.parquet")} == files
    entry.write_bytes(content)
    go_on(issued, settings)


@pytest.mark.parametrize("known", ["mark", "sink"])
def test_a_chain_without_its_newest_record_is_not_extended(issued, settings: Settings, known: str) -> None:
    head = issued.issue([D - DAY]).head
    remember(settings, head) if known == "mark" else FileSink(settings.ledger_sink).publish(head)
    before = issued.records()
    delete_newest(issued)
    with pytest.raises(
        LedgerError, match=r"record 2 of BTCUSDT .*not in the chain.*Put the table issue_records back"
    ):
        go_on(issued, settings)
    assert issued.records() == before[:-1], "nothing was written"


@pytest.mark.parametrize("left", ["", "\n", '{"published_at":"2024', '{"symbol":"ETHUSDT"}\n'])
def test_T4_a_torn_mark_is_not_taken_for_none(issued, settings: Settings, left: str) -> None:
    """What a power cut leaves is often a file of no bytes; then nothing would be missed."""
    remember(settings, issued.issue([D - DAY]).head)
    mark_path(settings).write_text(left)
    for _ in range(3):
        delete_newest(issued)
    with pytest.raises(LedgerError, match=r"BTCUSDT\.head is torn.*`btc verify`.*remove the file"):
        go_on(issued, settings)


def test_a_chain_that_is_gone_is_not_begun_anew(issued, settings: Settings) -> None:
    remember(settings, issued.issue([D - DAY]).head)
    for _ in range(3):
        delete_newest(issued)
    with pytest.raises(LedgerError, match="no record is here"):
        go_on(issued, settings)


def test_a_sink_that_is_down_delays_nothing_while_the_mark_agrees(
    issued, settings: Settings, tmp_path: Path
) -> None:
    remember(settings, issued.issue([D - DAY]).head)
    (tmp_path / "heads.jsonl").write_text("not a head\n")
    heads, problems = known_heads(settings, issued.tables)
    assert "were not compared" in problems[0]
    check_continuity(issued.tables, "BTCUSDT", heads)
    go_on(issued, settings)
    assert "record 3" in lost(
        issued.copy(tmp_path / "other").tables, "ETHUSDT", known_heads(settings, issued.tables)[0]
    )


def test_the_mark_lies_beside_the_tables(settings: Settings) -> None:
    assert mark_path(settings) == Path(settings.root) / "ledger" / "BTCUSDT.head"
    elsewhere = load({"BTC_DATA_DIR": "s3://bucket/data"})
    assert mark_path(elsewhere).is_relative_to(elsewhere.cache_dir)


def test_T4_what_a_torn_entry_names_is_never_removed(issued) -> None:
    """Of tables that are repaired: the entry is moved aside, and its files stay for a person to look at."""
    folder = issued.root / "tables" / FORECASTS.name
    entry = max((folder / "_delta_log").glob("*.json"))
    entry.write_bytes(entry.read_bytes()[:-20])
    files = {path.name for path in folder.glob("*.parquet")}
    tables = DeltaTables(str(issued.root))
    tables.upsert(FORECASTS, issued.stored(D - 2 * DAY).with_columns(pl.col("q500") + 0.001))
    assert tables.torn_entries(FORECASTS)
    vacuum(folder, dt.datetime.now(dt.UTC) + 9 * DAY)
    assert files <= {path.name for path in folder.glob("*.parquet")}


def test_T9_what_a_killed_write_left_goes_but_no_data_file_of_the_chain(issued) -> None:
    folder = issued.root / "tables" / ISSUE_RECORDS.name
    half, whole = folder / ".record.parquet.4fdadb54f1d5.tmp", folder / "record.parquet"
    long_ago = (dt.datetime.now(dt.UTC) - 2 * DAY).timestamp()
    for path in (half, whole):
        path.write_bytes(b"PAR1")
        os.utime(path, (long_ago, long_ago))
    DeltaTables(str(issued.root))._log(ISSUE_RECORDS).tidy()
    assert (half.exists(), whole.exists()) == (False, True)
