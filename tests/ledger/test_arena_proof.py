"""The arena's chain in a proof: who has neither our tables nor our code finds whatever was done to it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from btc_assets.forecasters.arena import Attempt, forecasts_frame
from btc_assets.forecasters.worker_process import ForecastResult
from btc_assets.ledger.arena_issue import ArenaIssued, issue_arena
from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.publishing.sinks import FileSink
from btc_assets.ledger.verification.arena_checks import check_arena
from btc_assets.market.calendar import DAY
from btc_assets.series import SERIES
from btc_assets.storage.bitemporal import newest

D = dt.date(2024, 1, 12)
RECORDS, ROWS, HEADS = "arena_records.jsonl", "arena_forecasts.csv.gz", "arena/heads.jsonl"


@pytest.fixture(scope="module")
def exported(empty, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of two forecasters beside our own forecasts, each record published."""
    folder = tmp_path_factory.mktemp("arena")
    store = empty.copy(folder / "store")
    sink = FileSink(folder / "heads.jsonl")
    for day in (D - 2 * DAY, D - DAY, D):
        sink.publish(store.issue([day]).head)
        sink.publish(compete(store, day).head)
    return export_proof(store.tables, store.registry, "BTCUSDT", folder / "proof", sink=sink)


def compete(store, day: dt.date, **change: pl.Expr | float) -> ArenaIssued:
    """Issue what two forecasters say from ``day``, some columns otherwise."""
    result = ForecastResult("ok", "", np.full((90, 21), 1000.0 + day.day))
    tried = [Attempt(name, "1.0+b", day, result) for name in ("flat", "level")]
    rows = forecasts_frame("BTCUSDT", tried).with_columns(**change)
    series = {one.name: newest(store.tables, "BTCUSDT", one) for one in SERIES}
    return issue_arena(store.tables, rows, series, store.in_time(day), 6)


@pytest.fixture
def proof(exported: Path, tmp_path: Path) -> Path:
    """A copy that may be forged."""
    return Path(shutil.copytree(exported, tmp_path / "proof"))


def run(proof: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script as a sceptic runs it: isolated from this project and from every installed package."""
    command = [sys.executable, "-I", "-S", str(proof / "verify_proof.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=proof, check=False)


def lines_of(proof: Path, name: str = RECORDS) -> list[bytes]:
    content = (proof / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).splitlines(keepends=True)


def write(proof: Path, lines: list[bytes], name: str = RECORDS) -> None:
    content = b"".join(lines)
    (proof / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def chained(records: list[dict]) -> list[bytes]:
    """The lines of ``records``, numbered and linked anew: what a forger with our code writes."""
    lines, sha = [], "0" * 64
    for place, record in enumerate(records):
        said = record | {"seq": place, "previous_sha256": sha}
        line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        lines.append(line)
        sha = hashlib.sha256(line).hexdigest()
    return lines


def test_an_honest_proof_is_well_and_either_head_can_be_asked_for(proof: Path) -> None:
    done = run(proof)
    assert done.returncode == 0, done.stderr
    head = hashlib.sha256(lines_of(proof)[-1]).hexdigest()
    assert f"The arena: 3 records, 540 rows of origins 0001-01-01 to 9999-12-31; head {head}" in done.stdout
    asked = run(proof, head)
    assert asked.returncode == 0
    assert "of 3 live forecasts lie before that head; no other counts" in asked.stdout, (
        "it is another chain's"
    )
    assert f"{head} is of the arena's chain: it vouches for no other forecast" in asked.stdout
    assert "is not in the chain" in run(proof, "f" * 64).stderr


def altered(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"note":""', b'"note":"x"'), lines[2]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], lines[2]]


def deleted(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2]]


def of(change: Callable[[list[dict]], list[dict]]) -> Callable[[list[bytes]], list[bytes]]:
    """A chain that is whole, of records as ``change`` makes them."""
    return lambda lines: chained(change([json.loads(line) for line in lines]))


ATTACKS = {
    "altered": (altered, "the arena's record 2: the hash of the record before it"),
    "reordered": (swapped, "its place"),
    "deleted": (deleted, "the arena's record 1: its place"),
    "deleted and linked anew": (of(lambda r: [r[0], r[2]]), "rows of ('2024-01-11', 'flat', '1.0+b')"),
    "cut off": (lambda lines: lines[:2], "rows of ('2024-01-12', 'flat', '1.0+b')"),
    "forked": (of(lambda r: [*r[:2], r[2] | {"note": "another"}]), "not in its place in the chain"),
    "another kind": (of(lambda r: [r[0], r[1] | {"kind": "back-filled"}, r[2]]), "live, late or back-filled"),
    "other candles": (
        of(lambda r: [*r[:2], r[2] | {"inputs": {"raw_klines": "a" * 64}}]),
        "record 2: raw_klines known then hash to",
    ),
    "candles that nobody has": (
        of(lambda r: [*r[:2], r[2] | {"inputs": {"unheard_of": "a" * 64}}]),
        "record 2, origin 2024-01-12: no candles that it was computed from",
    ),
    "said again otherwise": (
        of(lambda r: [*r, r[2] | {"entrants": [r[2]["entrants"][0] | {"rows_sha256": "b" * 64}]}]),
        "flat was issued in time, and stays",
    ),
    "emptied": (lambda _: [], "the arena's chain is empty"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_is_done_to_a_record_is_named(proof: Path, attack: str) -> None:
    change, told = ATTACKS[attack]
    write(proof, change(lines_of(proof)))
    done = run(proof)
    assert done.returncode == 1, done.stdout
    assert told in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"2024-01-13,1012.0", b"2024-01-13,1011.0", "the arena's record 2: the rows of"),
        (b"2024-01-13T00:05", b"2024-01-13T00:04", "when they were issued"),
        (b",level,", b",lever,", "without a record, or out of order"),
    ],
)
def test_whatever_is_done_to_a_row_is_named(proof: Path, old: bytes, new: bytes, told: str) -> None:
    lines = lines_of(proof, ROWS)
    at = next(n for n, line in enumerate(lines) if old in line)
    lines[at] = lines[at].replace(old, new, 1)
    write(proof, lines, ROWS)
    assert told in run(proof).stderr


def test_a_row_that_is_gone_and_a_head_of_another_chain_are_named(proof: Path) -> None:
    lines = lines_of(proof, ROWS)
    write(proof, lines[:-1], ROWS)
    assert "the arena's record 2: the rows of ('2024-01-12', 'level', '1.0+b')" in run(proof).stderr
    write(proof, lines, ROWS)
    write(proof, [line.replace(b"BTCUSDT-arena", b"BTCUSDT") for line in lines_of(proof, HEADS)], HEADS)
    assert "not in its place in the chain" in run(proof).stderr


@pytest.mark.parametrize(
    "change",
    [
        {"target_date": pl.col("target_date") + 30 * DAY},
        {"q025": pl.col("q975") * 2},
        {"q975": float("inf")},
    ],
    ids=["another day", "out of order", "infinite"],
)
def test_G2_3_G2_4_rows_of_the_arena_that_can_be_no_forecast(
    empty, tmp_path: Path, change: dict[str, pl.Expr | float]
) -> None:
    """As of the networks': what is scored against another day, or what no price can miss."""
    store = empty.copy(tmp_path / "store")
    store.issue([D])
    compete(store, D, **change)
    assert "can be no forecast" in "\n".join(map(str, check_arena(store.tables, "BTCUSDT")))
    proof = export_proof(store.tables, store.registry, "BTCUSDT", tmp_path / "proof")
    done = run(proof)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("NOT as recorded: ")
    if "q975" not in change:  # a price without end has no form that is read
        assert "the arena's record 0, origin 2024-01-12: a row that can be no forecast" in done.stderr
