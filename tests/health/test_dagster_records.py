"""Dagster's SQLite databases: damaged ones are put aside and made again; locked or full is one sentence."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from btc_assets.cli.up import check_records
from btc_assets.defs.recorded_days import record_stored_days
from btc_assets.defs.runs import materialised_days
from btc_assets.errors import StorageError
from btc_assets.health.context import HealthContext
from btc_assets.health.dagster_records import examine_records
from btc_assets.health.finding import State
from btc_assets.health.missing_days import TableDays
from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY, days
from btc_assets.settings import Settings, load

STORED = frozenset(days(FIRST_DAY, FIRST_DAY + 1200 * DAY))
TABLES = {"raw_klines": TableDays("raw_klines", STORED, FIRST_DAY, max(STORED))}
DATABASES = ("history/index.db", "history/runs.db", "schedules/schedules.db")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder whose Dagster knows 1,200 days."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    found = load({}, data_dir=str(tmp_path), source="simulated")
    with open_instance(found) as instance:
        assert record_stored_days(instance, TABLES) == 1200
        assert record_stored_days(instance, TABLES) == 0
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return found


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage " * 5000)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def spoiled_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    path.write_bytes(content)


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("spoil", [garbage, torn, spoiled_in_the_middle])
def test_T12_a_damaged_database_is_put_aside_and_made_again_from_the_tables(
    settings: Settings,
    name: str,
    spoil: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = Path(settings.dagster_home)
    merge_write_ahead_log(home / name)
    spoil(home / name)
    before = (home / name).read_bytes()

    (found,) = examine_records(HealthContext(settings))
    assert found.state is State.BROKEN
    assert name in found.detail
    assert "btc up" in found.detail
    with pytest.raises(StorageError, match=r"Dagster's records in .* are damaged .* `btc up` puts it aside"):
        use(settings)

    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    check_records(settings)
    said = capsys.readouterr().err
    assert f"{home / name} is damaged" in said
    assert len(said.strip().splitlines()) == 1
    (kept,) = (home / "damaged").glob(f"{Path(name).name}.*")
    assert kept.read_bytes() == before, "a person can still look at it"
    assert use(settings) == STORED
    assert examine_records(HealthContext(settings))[0].good


def use(settings: Settings) -> frozenset[object]:
    """Do with the records what a start does."""
    from btc_assets.health.dagster_records import explaining

    with explaining(Path(settings.dagster_home)), open_instance(settings) as instance:
        record_stored_days(instance, TABLES)
        instance.get_runs_count()
        instance.all_instigator_state()
        instance.get_ticks("x", "y")
        instance.create_run_for_job(job_def=nothing)
        return frozenset(materialised_days(instance, "raw_klines"))


@dg.job
def nothing() -> None:
    """Do nothing."""


def merge_write_ahead_log(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def test_T12_an_index_that_was_deleted_is_made_again_from_the_tables(settings: Settings) -> None:
    for path in (Path(settings.dagster_home) / "history").glob("index.db*"):
        path.unlink()
    assert use(settings) == STORED


HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_T12_a_locked_database_is_one_sentence_that_names_who_holds_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btc_assets.health.dagster_records.WAIT", 0.2)
    path = str(Path(settings.dagster_home) / "history" / "runs.db")
    command = [sys.executable, "-c", HOLD, path]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match=rf"locked by process {holder.pid} \(python.*end it, or wait"):
            check_records(settings)
        assert not (Path(settings.dagster_home) / "damaged").exists(), "a lock is no damage"
        assert examine_records(HealthContext(settings))[0].state is State.BROKEN
    finally:
        holder.communicate()
    check_records(settings)


def test_T12_an_empty_home_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = load({}, data_dir=str(tmp_path), source="simulated")
    assert examine_records(HealthContext(settings))[0].good
    assert not any(os.scandir(tmp_path)), "looking makes nothing"
