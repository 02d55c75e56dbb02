"""Whatever is not what was recorded is found and named; what is well is said in one line."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from synthetic_candles import bars_of

from btc_assets.contracts import FORECASTS, RAW_KLINES, RAW_KLINES_4H
from btc_assets.ledger.chain import restart_chain
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.digest import feature_digests
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.records import ISSUE_RECORDS, IssueRecord, records_frame
from btc_assets.ledger.verification.report import Report
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.modeling.history import LOG_REALISED
from btc_assets.series import BARS, CANDLES, Series
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry

D = dt.date(2024, 1, 12)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def issued_once(empty, tmp_path_factory: pytest.TempPathFactory):
    """Four back-filled days, then three live ones; records 1 to 7 after the genesis record."""
    store = empty.copy(tmp_path_factory.mktemp("issued") / "store")
    store.issue([D - n * DAY for n in (6, 5, 4, 3)], store.in_time(D - 2 * DAY))
    for n in (2, 1, 0):
        store.issue([D - n * DAY], store.in_time(D - n * DAY) if n != 2 else later(store, D - 2 * DAY))
    return store


@pytest.fixture
def issued(issued_once, tmp_path: Path):
    return issued_once.copy(tmp_path / "store")


def later(store, origin: dt.date, by: dt.timedelta = HOUR) -> Clock:
    at = store.in_time(origin).now + by
    return Clock(at, at)


def check(store, **options) -> Report:
    # A second process: nothing that this one remembers of the store counts.
    tables, registry = DeltaTables(str(store.root)), FolderRegistry(store.root)
    return verify(tables, registry, store.symbol, features=store.features, **options)


def first(report: Report) -> tuple[int | None, dt.date | None, str]:
    assert not report.ok, report.line()
    return report.faults[0].seq, report.faults[0].origin, report.faults[0].what


def rewrite(store, change: Callable[[list[IssueRecord]], list[IssueRecord]]) -> None:
    """Replace the table of records as someone would who has write access and knows the format."""
    records = change(store.records())
    tables = store.tables
    tables.delete_keys(ISSUE_RECORDS, tables.read(ISSUE_RECORDS, ["symbol", "seq"]))
    tables.insert(ISSUE_RECORDS, records_frame(records))


def rechained(records: list[IssueRecord]) -> list[IssueRecord]:
    """The records with places and links made good, as a forger would."""
    found: list[IssueRecord] = []
    for seq, record in enumerate(records):
        previous = found[-1].sha256() if found else record.previous_sha256
        found.append(replace(record, seq=seq, previous_sha256=previous))
    return found


def test_all_is_well_in_one_line(issued) -> None:
    report = check(issued)
    assert report.ok, report.line()
    assert (report.records, report.live, report.back_filled) == (8, 3, 4)
    assert (report.rows, report.models) == (7 * 9, 2)
    assert report.line().startswith(
        "All is well: 8 records of BTCUSDT since 2024-01-11, 3 live and 4 back-filled"
    )
    assert report.head.record_sha256 in report.line()
    assert "\n" not in report.line()


def test_verifying_writes_nothing(issued) -> None:
    before = {p: p.stat().st_mtime_ns for p in issued.root.rglob("*")}
    check(issued)
    assert {p: p.stat().st_mtime_ns for p in issued.root.rglob("*")} == before


def test_nothing_issued_is_not_a_fault(store) -> None:
    report = check(store)
    assert report.ok
    assert "nothing was issued yet" in report.line()


def test_a_forecast_edited_by_hand_is_named(issued) -> None:
    row = issued.stored(D).filter((pl.col("model") == "lstm") & (pl.col("horizon") == 2))
    issued.tables.upsert(FORECASTS, row.with_columns(q500=pl.col("q500") * (1 + 2**-52)))
    report = check(issued)
    assert first(report) == (7, D, "rows")
    assert "was altered" in report.line()


def test_a_forecast_dated_back_by_hand_is_named(issued) -> None:
    stamp = pl.lit(issued.in_time(D - 3 * DAY).now, dtype=FORECASTS.schema["issued_at"])
    issued.tables.upsert(FORECASTS, issued.stored(D - 3 * DAY).with_columns(issued_at=stamp))
    report = check(issued)
    assert first(report) == (4, D - 3 * DAY, "rows")
    assert "say that they were issued at 2024-01-10 00:05:00" in report.line()


def test_a_deleted_row_and_a_deleted_forecast_are_named(issued) -> None:
    keys = list(FORECASTS.key)
    issued.tables.delete_keys(FORECASTS, issued.stored(D).select(keys).head(1))
    issued.tables.delete_keys(FORECASTS, issued.stored(D - DAY).select(keys))
    messages = [str(fault) for fault in check(issued).faults]
    assert "its 9 rows are gone" in messages[0]
    assert "8 rows, not 9" in messages[1]


def test_a_forecast_slipped_in_without_a_record_is_named(issued) -> None:
    stray = issued.rows([D - 8 * DAY]).with_columns(
        issued_at=pl.lit(issued.in_time(D).now, dtype=FORECASTS.schema["issued_at"])
    )
    issued.tables.upsert(FORECASTS, stray.select(FORECASTS.schema.names()))
    assert first(check(issued)) == (None, D - 8 * DAY, "rows")


def test_an_altered_record_is_named(issued) -> None:
    stored = issued.tables.read(ISSUE_RECORDS)
    altered = stored.filter(pl.col("seq") == 2).with_columns(kind=pl.lit("live"))
    issued.tables.upsert(ISSUE_RECORDS, altered)
    report = check(issued)
    assert first(report) == (2, D - 5 * DAY, "record")


def test_an_altered_record_whose_hash_was_made_good_breaks_the_next_link(issued) -> None:
    rewrite(issued, lambda rs: [replace(r, note="forged") if r.seq == 2 else r for r in rs])
    assert first(check(issued)) == (3, D - 4 * DAY, "chain")


def test_a_removed_record_is_named(issued) -> None:
    rewrite(issued, lambda rs: [r for r in rs if r.seq != 3])
    report = check(issued)
    assert first(report)[0] in (None, 4)
    assert any("record 3 is missing" in str(fault) for fault in report.faults)


def test_records_in_another_order_are_named(issued) -> None:
    rewrite(issued, lambda rs: [*rs[:3], replace(rs[4], seq=3), replace(rs[3], seq=4), *rs[5:]])
    assert first(check(issued))[::2] == (3, "chain")


def test_an_inserted_record_is_named(issued) -> None:
    def insert(records: list[IssueRecord]) -> list[IssueRecord]:
        forged = replace(records[5], origin_date=D - 8 * DAY, kind="back-filled")
        return [*records[:5], forged, *(replace(r, seq=r.seq + 1) for r in records[5:])]

    rewrite(issued, insert)
    report = check(issued)
    assert first(report)[0] == 5
    assert any((fault.seq, fault.what) == (6, "chain") for fault in report.faults)


def test_a_chain_written_anew_contradicts_what_was_published(issued, tmp_path) -> None:
    sink = FileSink(tmp_path / "heads.jsonl")
    sink.publish(check(issued).head)
    rewrite(issued, lambda rs: rechained([replace(r, note="") for r in rs]))
    inside = check(issued)
    assert inside.ok, "a chain that was computed anew is consistent in itself"
    report = check(issued, sink=sink)
    assert first(report)[::2] == (7, "published")
    assert "rolled back or written anew" in report.line()


def test_tables_rolled_back_together_contradict_what_was_published(issued, tmp_path) -> None:
    sink, copy = FileSink(tmp_path / "heads.jsonl"), tmp_path / "older"
    shutil.copytree(issued.root, copy)
    issued.store_candles(issued.make(1, D + DAY), issued.in_time(D + DAY).now)
    sink.publish(issued.issue([D + DAY]).head)
    assert check(issued, sink=sink).ok
    shutil.rmtree(issued.root)
    copy.rename(issued.root)
    report = check(issued, sink=sink)
    assert first(report)[::2] == (8, "published")
    assert "that record is missing" in report.line()


@pytest.mark.parametrize(
    ("table", "expected"),
    [("forecasts", (7, "rows")), ("raw_klines", (7, "candles")), ("issue_records", (None, "rows"))],
)
def test_T4_one_table_rolled_back_is_named(store, tmp_path, table, expected) -> None:
    for n in (6, 5, 4, 3, 2, 1):
        store.issue([D - n * DAY], later(store, D - n * DAY, 5 * DAY))
    store.tables.delete_keys(RAW_KLINES, store.tables.read(RAW_KLINES, ["symbol", "date"], start=D))
    folder = store.root / "tables" / table
    shutil.copytree(folder, tmp_path / "older")
    store.store_candles(store.make(1, D), store.in_time(D).now)
    store.issue([D], later(store, D, 5 * DAY))
    assert check(store).ok
    shutil.rmtree(folder)
    (tmp_path / "older").rename(folder)
    report = check(store)
    assert first(report)[::2] == expected
    assert any("raw_klines is at version" in note for note in report.notes) == (table == "raw_klines")


def test_an_altered_candle_is_named_with_the_day_up_to_which_all_is_well(issued) -> None:
    candle = issued.tables.read(RAW_KLINES, start=D - 3 * DAY, end=D - 2 * DAY)
    issued.tables.upsert(RAW_KLINES, candle.with_columns(close=pl.col("close") + 0.01))
    report = check(issued)
    assert first(report) == (4, D - 3 * DAY, "candles")
    assert "up to 2024-01-08 they are" in report.line()


@pytest.mark.parametrize(("kept", "column"), [(CANDLES, "close"), (BARS, "high")], ids=["days", "4 hours"])
def test_D11_restated_candles_leave_every_record_provable(issued, kept: Series, column: str) -> None:
    for hours, n in ((2, 5), (3, 1), (4, 5)):
        day = D - n * DAY
        candle = issued.tables.read(kept.newest, start=day, end=day + DAY).head(1)
        restated = candle.with_columns(pl.col(column) + hours / 100)
        issued.store_candles(restated, later(issued, D, hours * HOUR).now, kept)
    report = check(issued)
    assert report.ok, report.line()
    assert any("derived from other candles" in note for note in report.notes)
    issued.issue([D - 4 * DAY], later(issued, D, 5 * HOUR))
    report = check(issued)
    assert report.ok, report.line()


def test_a_candle_filled_in_later_leaves_earlier_records_provable(store) -> None:
    gap = D - 7 * DAY
    key = store.tables.read(RAW_KLINES, ["symbol", "date"], start=gap, end=gap + DAY)
    candle = store.tables.read(RAW_KLINES, start=gap, end=gap + DAY)
    store.tables.delete_keys(RAW_KLINES, key)
    store.issue([D - DAY], later(store, D - DAY, 23 * HOUR))
    store.store_candles(candle, later(store, D - DAY, 23.5 * HOUR).now)
    store.issue([D])
    report = check(store)
    assert report.ok, report.line()
    assert store.records()[1].snapshot(CANDLES) != store.records()[2].snapshot(CANDLES)


def test_an_altered_4_hour_candle_is_named(issued) -> None:
    bars = issued.tables.read(RAW_KLINES_4H, start=D - 3 * DAY, end=D - 2 * DAY)
    issued.tables.upsert(RAW_KLINES_4H, bars.tail(1).with_columns(pl.col("high") + 0.01))
    report = check(issued)
    assert first(report) == (4, D - 3 * DAY, "candles")
    assert "4-hour candles up to 2024-01-09 as known then" in report.line()


def test_a_removed_4_hour_candle_is_named(issued) -> None:
    keys = issued.tables.read(RAW_KLINES_4H, list(RAW_KLINES_4H.key), start=D).head(1)
    issued.tables.delete_keys(RAW_KLINES_4H, keys)
    assert first(check(issued)) == (7, D, "candles")


def test_4_hour_candles_that_come_after_their_day_was_forecast_leave_it_provable(store) -> None:
    bars = store.tables.read(RAW_KLINES_4H, start=D - DAY)
    store.tables.delete_keys(RAW_KLINES_4H, bars.select(RAW_KLINES_4H.key))
    store._derive()
    store.issue([D - DAY], later(store, D - DAY))
    store.store_candles(bars, later(store, D).now, BARS)
    store.issue([D], later(store, D, 2 * HOUR))
    report = check(store)
    assert report.ok, report.line()
    assert len({record.snapshot(BARS).sha256 for record in store.records()[1:]}) == 2


def test_a_chain_of_the_first_release_goes_on_and_stays_provable(store) -> None:
    """0.1.0 knew no 4-hour candles: no table of them, and two columns fewer in the records."""
    store.tables.delete_keys(RAW_KLINES_4H, store.tables.read(RAW_KLINES_4H, RAW_KLINES_4H.key))
    store._derive()
    shutil.rmtree(store.root / "tables" / RAW_KLINES_4H.name)
    store.tables = DeltaTables(str(store.root))
    store.issue([D - 2 * DAY, D - DAY], store.in_time(D - DAY))
    features = store.tables.read(store.features)
    hashes = feature_digests(features, [r.origin_date for r in store.records()], [LOG_REALISED])
    records = [
        replace(
            r,
            inputs={name: said for name, said in r.inputs.items() if name != BARS.name},
            features_sha256=r.features_sha256 and hashes[r.origin_date],
        )
        for r in store.records()
    ]
    rechained = chained(records)
    shutil.rmtree(store.root / "tables" / ISSUE_RECORDS.name)
    tables = DeltaTables(str(store.root))
    tables.upsert(FIRST_RELEASE, records_frame(rechained).select(FIRST_RELEASE.schema.names()))
    said = [json.loads(record.line()) for record in rechained]
    assert all("bars_sha256" not in line and "bars_version" not in line for line in said)
    upgraded = check(store)
    assert upgraded.ok, upgraded.line()
    assert not any("derived from other" in note for note in upgraded.notes), "its features are compared too"
    store.tables = DeltaTables(str(store.root))
    store.store_candles(bars_of(store.make(11, D - 11 * DAY)), later(store, D - DAY).now, BARS)
    store.issue([D])
    report = check(store)
    assert report.ok, report.line()
    assert [bool(record.snapshot(BARS).sha256) for record in store.records()] == [False, False, False, True]


FIRST_RELEASE = replace(
    ISSUE_RECORDS, columns=tuple(c for c in ISSUE_RECORDS.columns if not c.name.startswith("bars_"))
)


def chained(records: list[IssueRecord]) -> list[IssueRecord]:
    """The same records, each naming the hash of the one before."""
    found: list[IssueRecord] = []
    for record in records:
        previous = found[-1].sha256() if found else record.previous_sha256
        found.append(replace(record, previous_sha256=previous))
    return found


def test_a_candle_that_was_not_there_when_the_forecast_says_it_was_issued_is_named(issued) -> None:
    stamp = pl.lit(issued.in_time(D).now + HOUR, dtype=RAW_KLINES.schema["ingested_at"])
    candle = issued.tables.read(RAW_KLINES, start=D).with_columns(ingested_at=stamp)
    issued.tables.upsert(RAW_KLINES, candle)
    report = check(issued)
    assert first(report) == (7, D, "candles")
    assert "only after the forecast was issued" in report.line()


def test_an_altered_feature_is_named(issued) -> None:
    row = issued.tables.read(issued.features, start=D - DAY, end=D)
    issued.tables.upsert(issued.features, row.with_columns(pl.col("weekday_sin") + 1e-9))
    assert first(check(issued)) == (6, D - DAY, "features")


def test_M4_a_model_file_with_one_flipped_bit_is_named(issued) -> None:
    file = issued.root / "models" / "lstm" / "2024-01-01" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(bytes(content))
    report = check(issued)
    assert first(report) == (1, D - 6 * DAY, "model")
    assert "lstm 2024-01-01" in report.line()


def test_M4_a_swapped_model_with_a_sound_manifest_is_named(issued) -> None:
    models = issued.root / "models"
    shutil.rmtree(models / "lstm" / "2024-01-01")
    shutil.copytree(models / "mlp" / "2024-01-01", models / "lstm" / "2024-01-01")
    assert "the model was swapped" in check(issued).line()


def test_a_lost_model_is_named(issued) -> None:
    shutil.rmtree(issued.root / "models" / "mlp" / "2024-01-01")
    assert "not in the registry any more" in check(issued).line()


def test_T5_one_flipped_bit_in_a_table_is_refused_before_it_is_decoded(issued) -> None:
    for file in (issued.root / "tables" / "forecasts").rglob("*.parquet"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 16
        file.write_bytes(bytes(content))
    report = check(issued)
    assert first(report)[2] == "rows"
    assert "damaged" in report.line()


def test_T6_a_missing_data_file_is_named(issued) -> None:
    for file in (issued.root / "tables" / "issue_records").rglob("*.parquet"):
        file.unlink()
    report = check(issued)
    assert first(report)[2] == "chain"
    assert ".parquet" in report.line()


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (lambda r: replace(r, kind="live"), "it says live, but was issued at"),
        (lambda r: replace(r, issued_at=r.issued_at - DAY), "before what its own clocks said"),
        (lambda r: replace(r, source_clock=r.source_clock + DAY), "before what its own clocks said"),
        (
            lambda r: replace(r, vintages=[{**r.vintages[0], "vintage": "2024-02-01"}]),
            "was trained on targets up to 2024-02-01, after the origin",
        ),
        (lambda r: replace(r, supersedes=0), "it says that it replaces record 0"),
        (lambda r: replace(r, began=D - 20 * DAY), "it says that the chain began"),
    ],
)
def test_C5_a_record_that_contradicts_itself_is_named(issued, forge, told) -> None:
    rewrite(issued, lambda rs: rechained([forge(r) if r.seq == 3 else r for r in rs]))
    report = check(issued)
    assert any(told in str(fault) and fault.seq == 3 for fault in report.faults), report.faults


def test_C5_a_live_record_written_with_clocks_set_back_is_named(issued) -> None:
    origin = D - 8 * DAY
    at = issued.in_time(origin).now

    def append(records: list[IssueRecord]) -> list[IssueRecord]:
        forged = replace(
            records[-1], origin_date=origin, issued_at=at, local_clock=at, source_clock=at, kind="live"
        )
        return rechained([*records, forged])

    rewrite(issued, append)
    assert any("before record 7" in str(fault) for fault in check(issued).faults)


def test_a_live_forecast_replaced_by_a_later_one_is_named(issued) -> None:
    later_at = issued.in_time(D).now + 9 * DAY

    def append(records: list[IssueRecord]) -> list[IssueRecord]:
        forged = replace(
            records[-1],
            kind="back-filled",
            issued_at=later_at,
            local_clock=later_at,
            source_clock=later_at,
            supersedes=7,
        )
        return rechained([*records, forged])

    rewrite(issued, append)
    assert any("which is live; live forecasts stay" in str(fault) for fault in check(issued).faults)


def test_only_the_days_asked_for_are_hashed_but_the_chain_is_walked_whole(issued) -> None:
    report = check(issued, start=D - DAY, end=D)
    assert (report.rows, report.records) == (9, 8)
    issued.tables.delete_keys(FORECASTS, issued.stored(D).select(FORECASTS.key))
    assert check(issued, end=D).ok
    assert not check(issued, start=D).ok


def test_live_forecasts_published_in_time_are_counted(issued, tmp_path) -> None:
    lines = []
    for record in issued.records()[5:]:
        at = record.issued_at + (2 * DAY if record.seq == 7 else HOUR)
        lines.append(
            f'{{"symbol":"BTCUSDT","seq":{record.seq},"record_sha256":"{record.sha256()}",'
            f'"published_at":"{at.isoformat()}"}}\n'
        )
    path = tmp_path / "heads.jsonl"
    path.write_text("".join(lines))
    report = check(issued, sink=FileSink(path))
    assert report.published == 3
    assert any("by the operator's own word, 2 of 3 live forecasts" in note for note in report.notes)


def test_every_day_only_the_newest_records_are_looked_at(issued) -> None:
    report = check(issued, newest=2)
    assert report.ok, report.line()
    assert (report.records, report.rows) == (2, 18)
    issued.tables.upsert(FORECASTS, issued.stored(D - 3 * DAY).with_columns(pl.col("q500") * (1 + 2**-50)))
    assert check(issued, newest=2).ok
    issued.tables.upsert(FORECASTS, issued.stored(D - DAY).with_columns(pl.col("q500") * (1 + 2**-50)))
    assert first(check(issued, newest=2)) == (6, D - DAY, "rows")


def test_a_broken_link_among_the_newest_records_is_named(issued) -> None:
    rewrite(issued, lambda rs: [replace(r, note="forged") if r.seq == 6 else r for r in rs])
    assert first(check(issued, newest=2)) == (7, D, "chain")


def test_C5_a_record_from_the_future_is_named_until_the_chain_begins_anew(issued) -> None:
    year_ahead = later(issued, D, 365 * DAY)
    now = later(issued, D, DAY).now
    issued.store_candles(issued.make(1, D + DAY), now)
    issued.issue([D + DAY], year_ahead)
    report = check(issued, now=now)
    assert first(report) == (8, D + DAY, "clock")
    assert "after now: a clock was wrong then" in report.line()
    restart_chain(issued.tables, issued.symbol, Clock(now, now), "the old host's clock was a year ahead")
    report = check(issued, now=now)
    assert report.ok, report.line()
    assert any("begins the chain anew" in note for note in report.notes)
    assert any("a clock that was ahead" in note for note in report.notes)


@pytest.mark.parametrize(
    "column", [c for c in ISSUE_RECORDS.schema.names() if c not in ("symbol", "began", "seq")]
)
def test_no_field_of_a_record_can_be_altered_unnoticed(issued, column: str) -> None:
    row = issued.tables.read(ISSUE_RECORDS).filter(pl.col("seq") == 3)
    dtype = row.schema[column]
    if dtype == pl.String:
        value = pl.lit("{")
    elif dtype == pl.Int64:
        value = pl.col(column) + 1
    else:
        value = pl.col(column).dt.offset_by("1d")
    issued.tables.upsert(ISSUE_RECORDS, row.with_columns(value.alias(column)))
    assert (3, "record") in {(fault.seq, fault.what) for fault in check(issued).faults}


@pytest.mark.parametrize(
    "text", ["{", "[]", "[1]", '[{"model": "mlp"}]', '[{"vintage": 3}]', "{}", "null", '"x"']
)
@pytest.mark.parametrize("column", ["vintages", "settings"])
def test_json_of_another_shape_is_named(issued, column: str, text: str) -> None:
    row = issued.tables.read(ISSUE_RECORDS).filter(pl.col("seq") == 3)
    issued.tables.upsert(ISSUE_RECORDS, row.with_columns(pl.lit(text).alias(column)))
    assert first(check(issued))[::2] == (3, "record")
