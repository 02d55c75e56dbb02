"""Forgeries of a proof bundle by whoever holds the store: refused and named, or the verdict says it.

They are written with an honest bundle in hand; ``forged_bundle`` chains anew what was altered.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from forged_bundle import Bundle, Record

from btc_assets.contracts import RAW_KLINES
from btc_assets.ledger.digest import forecast_digests
from btc_assets.ledger.proof import export_proof
from btc_assets.market.calendar import DAY

D = dt.date(2024, 1, 12)


@pytest.fixture(scope="module")
def store(empty, tmp_path_factory: pytest.TempPathFactory):
    """Genesis, three back-filled days (records 1-3) and three live ones (4-6); a candle restated between."""
    store = empty.copy(tmp_path_factory.mktemp("forged") / "store")
    store.issue([D - n * DAY for n in (5, 4, 3)], store.in_time(D - 2 * DAY))
    store.issue([D - 2 * DAY])
    candle = store.tables.read(RAW_KLINES, start=D - 3 * DAY, end=D - 2 * DAY)
    restated = candle.with_columns(pl.col("quote_volume") + 1)
    store.store_candles(restated, store.in_time(D - DAY).now - dt.timedelta(minutes=1))
    store.issue([D - DAY])
    store.issue([D])
    return store


@pytest.fixture(scope="module")
def exported(store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "proof"
    return export_proof(store.tables, store.registry, store.symbol, folder)


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Bundle:
    import shutil

    return Bundle(Path(shutil.copytree(exported, tmp_path / "proof")))


def refused(bundle: Bundle, *arguments: str) -> str:
    done = bundle.verified(*arguments)
    assert done.returncode == 1, done.stdout
    assert "All is well" not in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("NOT as recorded: "), done.stderr
    return done.stderr


def well(bundle: Bundle, *arguments: str) -> str:
    done = bundle.verified(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def later(record: Record, origin: dt.date, at: str) -> Record:
    return record | {
        "origin_date": str(origin),
        "supersedes": -1,
        **dict.fromkeys(("issued_at", "local_clock", "source_clock"), at),
    }


def test_the_honest_bundle_is_well(bundle: Bundle) -> None:
    assert "All is well" in well(bundle, bundle.head())


def test_a_second_genesis_and_backdated_live_records_without_inputs(bundle: Bundle) -> None:
    honest = bundle.head()
    records = bundle.records()
    begun = records[0] | {"note": "restarted: a clock was wrong"}
    begun |= dict.fromkeys(("issued_at", "local_clock", "source_clock"), "2024-01-02T00:01:00.000000Z")
    forged = []
    for n in range(2, 6):
        origin = dt.date(2024, 1, n)
        empty = dict.fromkeys(("candles_sha256", "bars_sha256", "features_sha256"), "")
        record = later(records[-1], origin, f"2024-01-{n + 1:02d}T00:01:00.000000Z") | empty
        forged.append(record | {"vintages": [], "kind": "live", "rows": 9})
    header, *rows = bundle.table("forecasts")
    last = [row for row in rows if row[header.index("origin_date")] == "2024-01-12"]
    added = []
    for record in forged:
        origin = dt.date.fromisoformat(record["origin_date"])
        mine = [
            dict(zip(header, row, strict=True))
            | {"origin_date": str(origin), "issued_at": record["issued_at"]}
            | {"target_date": str(origin + int(row[header.index("horizon")]) * DAY)}
            for row in last
        ]
        record["rows_sha256"] = digest(mine)
        added += [[row[c] for c in header] for row in mine]
    at = header.index("origin_date")
    kept = [row for row in rows if row[at] not in {r["origin_date"] for r in forged}]
    bundle.write_table("forecasts", [header, *sorted(kept + added, key=lambda r: (r[at], r[1], int(r[3])))])
    bundle.write_records([*records, begun, *forged])
    refused(bundle, honest)
    refused(bundle)


def test_a_row_twice_in_a_chain_made_anew_is_refused(bundle: Bundle) -> None:
    header, *rows = bundle.table("forecasts")
    mine = [row for row in [*rows, rows[-1]] if row[header.index("origin_date")] == str(D)]
    sha256 = digest([dict(zip(header, row, strict=True)) for row in mine])
    bundle.write_table("forecasts", [header, *rows, rows[-1]])
    bundle.change(-1, rows=len(mine), rows_sha256=sha256)
    assert "a row that contradicts it" in refused(bundle)


def digest(rows: list[dict[str, str]]) -> str:
    frame = pl.DataFrame(rows).with_columns(
        pl.col("^.*_date$|^vintage$").str.to_date(),
        pl.col("horizon").cast(pl.Int16),
        pl.col("^q.*$").cast(pl.Float64),
    )
    (found,) = forecast_digests(frame).values()
    return found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issued_at", "2024-W02-6T00:05:00.000000Z"),
        ("issued_at", "2024-01-13T00:05:00Z"),
        ("issued_at", "2024-01-13T00:05:00.000000+00:00"),
        ("origin_date", "2024-W02-5"),
        ("origin_date", "20240112"),
        ("local_clock", "2018-01-13T00:05:00.000000Z"),
        ("rows", 99999),
        ("rows", "9"),
        ("rows", 9.0),
        ("rows", True),
        ("kind", "Live"),
        ("symbol", "ETHUSDT"),
        ("began", "2024-01-01"),
        ("supersedes", -2),
        ("vintages", []),
        ("vintages", {}),
        ("candles_sha256", ""),
        ("features_sha256", ""),
        ("bars_sha256", ""),
        ("candles_sha256", "A" * 64),
        ("settings", []),
        ("another", "field"),
    ],
)
def test_a_field_of_a_record_has_one_regular_form(bundle: Bundle, field: str, value: object) -> None:
    bundle.change(-1, **{field: value})
    refused(bundle)


def test_a_field_that_is_missing_is_refused(bundle: Bundle) -> None:
    for field in bundle.records()[-1]:
        if field in ("seq", "previous_sha256"):
            continue
        records = bundle.records()
        kept = dict(records[-1])
        del records[-1][field]
        bundle.write_records(records)
        refused(bundle)
        records[-1] = kept
        bundle.write_records(records)


@pytest.mark.parametrize("vintage", ["0", "2024-1-1", "2024-W01-1", "2024-01-01T00:00:00"])
def test_a_vintage_is_a_day(bundle: Bundle, vintage: str) -> None:
    entries = bundle.twin(-1)["vintages"]
    bundle.change(-1, vintages=[entries[0] | {"vintage": vintage}, *entries[1:]])
    refused(bundle)


def test_a_record_of_the_future(bundle: Bundle) -> None:
    at = "2036-01-13T00:05:00.000000Z"
    bundle.rewrite("forecasts", lambda r: r | ({"issued_at": at} if r["origin_date"] == str(D) else {}))
    bundle.change(-1, kind="back-filled", **dict.fromkeys(("issued_at", "local_clock", "source_clock"), at))
    assert "future" in refused(bundle)


def test_the_cutoff_in_a_record_is_that_of_its_manifest(bundle: Bundle) -> None:
    folder = bundle.folder / "models" / "mlp" / "2024-01-01"
    manifest = json.loads((folder / "manifest.json").read_text()) | {"cutoff": "2024-01-11"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sha = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    records = bundle.records()
    for record in records:
        for entry in record["vintages"]:
            if entry["model"] == "mlp":
                entry["manifest_sha256"] = sha
    bundle.write_records(records)
    assert "cutoff" in refused(bundle)


def test_a_range_without_rows(bundle: Bundle) -> None:
    bundle.said(**{"from": "2030-01-01", "to": "2031-01-01"})
    bundle.write_table("forecasts", bundle.table("forecasts")[:1])
    refused(bundle)


def test_days_that_were_picked_are_named_as_such(bundle: Bundle) -> None:
    bundle.said(**{"from": "2024-01-11", "to": "2024-01-12"})
    header, *rows = bundle.table("forecasts")
    bundle.write_table(
        "forecasts", [header, *(r for r in rows if r[header.index("origin_date")] == "2024-01-11")]
    )
    told = well(bundle)
    assert "1 of 6" in told
    assert "2024-01-11" in told


def test_a_bundle_that_claims_another_symbol(bundle: Bundle) -> None:
    bundle.said(symbol="ETHUSDT")
    refused(bundle)
    bundle.said(symbol="BTCUSDT", **{"from": "2024-W01-1"})
    refused(bundle)


def test_the_verdict_names_symbol_range_and_what_was_not_checked(bundle: Bundle) -> None:
    told = well(bundle)
    assert told.rstrip().splitlines()[-1].startswith("All is well") or "All is well" in told
    assert "BTCUSDT" in told
    assert "2024-01-07" in told
    assert "2024-01-12" in told
    assert "Not checked" in told
    assert told.index("Not checked") < told.index("All is well"), "the verdict comes last"


@pytest.mark.parametrize("name", ["forecasts", "raw_klines", "raw_klines_4h"])
@pytest.mark.parametrize(
    ("what", "column", "change"),
    [
        ("an extra cell", 0, lambda cell: cell + ",1"),
        ("a name over 24 bytes", 0, lambda cell: cell + "\0" * 20),
        ("a name with its padding", 0, lambda cell: cell + "\0"),
        ("digits of another script", 4, lambda cell: cell.replace("1", "١").replace("4", "٤")),
        ("underscores", 5, lambda cell: cell[0] + "_" + cell[1:]),
        ("a blank", 5, lambda cell: cell + " "),
        ("quotes", 5, lambda cell: f'"{cell}"'),
        ("a plus sign", 5, lambda cell: "+" + cell),
        ("nothing", 5, lambda cell: ""),
        ("not a number", 5, lambda cell: "nan"),
    ],
)
def test_a_cell_has_one_regular_form(bundle: Bundle, name: str, what: str, column: int, change) -> None:
    header, *rows = bundle.table(name)
    at = 0 if column == 0 else header.index("q025" if name == "forecasts" else "close")
    rows[-1][at] = change(rows[-1][at])
    bundle.write_table(name, [header, *rows])
    refused(bundle)


@pytest.mark.parametrize("cell", ["2024-01-12T00:00:00", "2024-W02-5", "20240112", "2024-01-12 "])
def test_a_day_is_written_one_way(bundle: Bundle, cell: str) -> None:
    bundle.rewrite("forecasts", lambda r: r | ({"origin_date": cell} if r["origin_date"] == str(D) else {}))
    refused(bundle)
    bundle.rewrite("raw_klines", lambda r: r | ({"date": cell} if r["date"] == str(D) else {}))
    refused(bundle)


def test_a_row_that_is_there_twice_or_in_another_place(bundle: Bundle) -> None:
    header, *rows = bundle.table("raw_klines")
    bundle.write_table("raw_klines", [header, rows[0], *rows])
    refused(bundle)
    bundle.write_table("raw_klines", [header, *reversed(rows)])
    refused(bundle)


def test_newer_versions_of_every_candle_with_another_close_count_for_nothing(bundle: Bundle) -> None:
    honest = table_of(well(bundle))
    header, *rows = bundle.table("raw_klines")
    close, at = header.index("close"), header.index("ingested_at")
    forged = []
    for row in rows:
        new = list(row)
        new[close], new[at] = "1.0", "2024-03-01T00:00:00.000000Z"
        forged += [row, new] if row is rows[-1] or row[1] != rows[rows.index(row) + 1][1] else [row]
    bundle.write_table("raw_klines", [header, *forged])
    done = bundle.verified()
    if done.returncode == 0:
        assert table_of(done.stdout) == honest
        assert "vouches for" in done.stdout


def table_of(text: str) -> list[str]:
    """The lines of the track record."""
    return [line for line in text.splitlines() if line.startswith(("ensemble", "mlp", "lstm"))]


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[]\n", b"not json\n", b"\xff\n", b"null\n"])
def test_an_empty_or_broken_chain_is_refused_in_words(bundle: Bundle, content: bytes) -> None:
    (bundle.folder / "records.jsonl").write_bytes(content)
    refused(bundle)


def test_a_line_that_is_not_its_own_canonical_form(bundle: Bundle) -> None:
    path = bundle.folder / "records.jsonl"
    for old, new in ((b'"rows":9,', b'"rows":9 ,'), (b'"rows":9,', b'"rows":8,"rows":9,'), (b"}\n", b"}")):
        lines = path.read_bytes().splitlines(keepends=True)
        assert old in lines[-1]
        path.write_bytes(b"".join(lines[:-1]) + lines[-1].replace(old, new, 1))
        refused(bundle)
        path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    "change",
    [
        {"vintage": "2023-12-31"},
        {"target_date": "2024-01-14"},
        {"q500": "1.0"},
        {"symbol": "ETHUSDT"},
        {"model": "oracle"},
    ],
)
def test_rows_that_contradict_their_record_though_it_vouches_for_them(
    bundle: Bundle, change: dict[str, str]
) -> None:
    def forge(row: dict[str, str]) -> dict[str, str]:
        mine = (row["origin_date"], row["model"], row["horizon"]) == (str(D), "mlp", "1")
        return row | change if mine else row

    bundle.rewrite("forecasts", forge)
    header, *rows = bundle.table("forecasts")
    mine = [dict(zip(header, row, strict=True)) for row in rows if row[header.index("origin_date")] == str(D)]
    bundle.change(-1, rows_sha256=digest(mine))
    refused(bundle)


def test_only_the_live_forecasts_before_the_hash_that_the_reader_knows_count_for_it(bundle: Bundle) -> None:
    lines = (bundle.folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    known = hashlib.sha256(lines[5]).hexdigest()
    told = well(bundle, known)
    assert f"2 of 3 live forecasts lie before {known}" in told
    counted = [line.split()[1:4] for line in table_of(told) if line.split()[2] == "1"]
    assert counted == [["all", "1", "4"], ["live", "1", "1"]] * 3, "nor does a later close"
