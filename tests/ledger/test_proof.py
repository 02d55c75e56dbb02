"""A proof can be checked by someone who has neither our tables nor our code."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import LedgerError
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.proof import _write_csv, export_proof
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.verification import verify_proof
from btc_assets.market.calendar import DAY

D = dt.date(2024, 1, 12)


@pytest.fixture(scope="module")
def issued_once(empty, tmp_path_factory: pytest.TempPathFactory):
    store = empty.copy(tmp_path_factory.mktemp("issued") / "store")
    store.issue([D - 3 * DAY, D - 2 * DAY], store.in_time(D - DAY))
    store.issue([D - DAY], store.in_time(D - DAY))
    candle = store.tables.read(RAW_KLINES, start=D - 3 * DAY, end=D - 2 * DAY)
    store.store_candles(candle.with_columns(pl.col("quote_volume") + 1), store.in_time(D).now)
    store.issue([D])
    return store


@pytest.fixture
def issued(issued_once, tmp_path: Path):
    return issued_once.copy(tmp_path / "store")


@pytest.fixture
def proof(issued, tmp_path: Path) -> Path:
    sink = FileSink(tmp_path / "heads.jsonl")
    sink.publish(issued.issue([D]).head)
    return export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / "proof", sink=sink)


def run(proof: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script as a sceptic runs it: isolated from this project and from every installed package."""
    command = [sys.executable, "-I", "-S", str(proof / "verify_proof.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=proof, check=False)


def edit(proof: Path, name: str, old: str, new: str, count: int = 1) -> None:
    """Replace text in a file of the proof."""
    path = proof / name
    text = gzip.decompress(path.read_bytes()).decode() if name.endswith(".gz") else path.read_text()
    assert old in text
    text = text.replace(old, new, count)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


def test_the_script_agrees_without_our_code(issued, proof: Path) -> None:
    done = run(proof)
    assert done.returncode == 0, done.stderr
    head = issued.records()[-1].sha256()
    assert (
        "5 records of BTCUSDT since 2024-01-12; origins 2024-01-09 to 2024-01-12 (4 of 4), 2 of 4 live, "
        in done.stdout
    )
    assert head in done.stdout
    assert run(proof, head).returncode == 0


def test_a_head_that_is_not_in_the_chain_is_named(proof: Path) -> None:
    done = run(proof, "f" * 64)
    assert done.returncode == 1
    assert "is not in the chain" in done.stderr


def test_the_script_is_short_and_needs_the_standard_library_alone() -> None:
    lines = Path(verify_proof.__file__).read_text().splitlines()
    assert len(lines) < 350
    assert not [line for line in lines if "import" in line and "btc_assets" in line]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "forecasts.csv.gz",
            "2024-01-12,1,2024-01-13,3",
            "2024-01-12,1,2024-01-13,2",
            "record 4",
        ),
        (
            "forecasts.csv.gz",
            "2024-01-13T00:05:00.000000Z",
            "2024-01-13T00:04:00.000000Z",
            "a row that contradicts it",
        ),
        ("raw_klines.csv.gz", "2024-01-05,4", "2024-01-05,5", "raw_klines known then"),
        ("raw_klines_4h.csv.gz", "2024-01-05,4", "2024-01-05,5", "raw_klines_4h known then"),
        ("records.jsonl", '"rows":9,', '"rows":8,', "the hash of the record before"),
        ("records.jsonl", '"kind":"back-filled"', '"kind":"live"', "late or back-filled"),
        ("heads.jsonl", '"seq":4', '"seq":3', "not in its place"),
        ("models/mlp/2024-01-01/manifest.json", "0.01", "0.02", "models/mlp/2024-01-01"),
    ],
)
def test_whatever_was_altered_is_named(proof: Path, name: str, old: str, new: str, told: str) -> None:
    edit(proof, name, old, new)
    done = run(proof)
    assert done.returncode == 1, done.stdout
    assert "NOT as recorded" in done.stderr
    assert told in done.stderr


def test_a_removed_forecast_and_an_added_one_are_named(proof: Path) -> None:
    path = proof / "forecasts.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    path.write_bytes(gzip.compress("".join(lines[:-1]).encode()))
    assert "record 4" in run(proof).stderr
    stray = lines[-1].replace("2024-01-12", "2024-01-02")
    path.write_bytes(gzip.compress("".join([*lines, stray]).encode()))
    assert "forecasts of origin 2024-01-02 have no record" in run(proof).stderr


def test_a_range_holds_the_whole_chain_and_only_its_forecasts(issued, tmp_path: Path) -> None:
    proof = export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / "p", start=D - DAY, end=D)
    done = run(proof)
    assert "origins 2024-01-11 to 2024-01-11 (1 of 4), 1 of 1 live, 0 late, 9 rows" in done.stdout, (
        done.stderr
    )


def test_models_travel_on_request_and_are_checked(issued, tmp_path: Path) -> None:
    proof = export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / "p", with_models=True)
    assert run(proof).returncode == 0
    edit(proof, "models/lstm/2024-01-01/model.onnx", "network", "notwork")
    assert "model.onnx" in run(proof).stderr


def test_a_proof_is_written_whole_or_not_at_all(issued, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(LedgerError, match="exists already"):
        export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path)
    with pytest.raises(LedgerError, match="no forecast of BTCUSDT was issued"):
        export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / "p", start=D + 9 * DAY)
    monkeypatch.setattr(issued.registry, "get", lambda *_: None)
    before = set(tmp_path.iterdir())
    with pytest.raises(LedgerError, match="not in the registry any more"):
        export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / "p")
    assert set(tmp_path.iterdir()) == before


def test_the_same_store_gives_the_same_proof(issued, tmp_path: Path) -> None:
    one, two = (export_proof(issued.tables, issued.registry, "BTCUSDT", tmp_path / n) for n in ("a", "b"))
    for path in one.rglob("*.*"):
        if path.is_file():
            assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_every_float_reads_back_as_the_same_double(values: list[float]) -> None:
    text = pl.DataFrame({"x": values}).write_csv()
    read = [float(line) for line in text.splitlines()[1:]]
    assert np.array(read).tobytes() == np.array(values).tobytes()


def test_the_file_holds_no_time_of_its_own(tmp_path: Path) -> None:
    _write_csv(tmp_path / "x.csv.gz", pl.DataFrame({"x": [1.5]}))
    assert (tmp_path / "x.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_clocks_that_disagree_are_visible_in_the_record(store, tmp_path: Path) -> None:
    at = store.in_time(D).now
    store.issue([D - 5 * DAY], Clock(at, at - 3 * DAY))
    proof = export_proof(store.tables, store.registry, "BTCUSDT", tmp_path / "p")
    record = json.loads((proof / "records.jsonl").read_text().splitlines()[-1])
    assert (record["local_clock"], record["source_clock"]) == (
        "2024-01-13T00:05:00.000000Z",
        "2024-01-10T00:05:00.000000Z",
    )
