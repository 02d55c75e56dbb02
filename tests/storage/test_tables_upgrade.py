"""What a newer release does to the Delta tables of an older one, and what may go wrong meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from btc_assets.backup.snapshot import Taken, copy_table
from btc_assets.errors import StorageError
from btc_assets.storage.delta.log import DeltaLog
from btc_assets.storage.delta.store import DeltaTables, checkpoints

from .conftest import SAMPLES, nulled, older, reopen, samples

OLD = older("close")


@pytest.fixture
def old_rows(local_tables: DeltaTables) -> pl.DataFrame:
    """The rows, as the contract has them, of a table that an older release made."""
    local_tables.upsert(OLD, samples(*range(4)).drop("close"))
    return nulled(samples(*range(4)), "close")


def folder(tables: DeltaTables) -> Path:
    return Path(tables.root) / "tables" / SAMPLES.name


def entries(tables: DeltaTables) -> list[Path]:
    return sorted((folder(tables) / "_delta_log").glob("*.json"))


def operations(tables: DeltaTables) -> list[str]:
    return [entry["operation"] for entry in DeltaTable(str(folder(tables))).history()][::-1]


def test_reading_changes_nothing(local_tables, old_rows) -> None:
    before = [path.read_bytes() for path in entries(local_tables)]
    reader = reopen(local_tables)
    assert_frame_equal(reader.read(SAMPLES), old_rows)
    assert reader.version(SAMPLES) == 1
    assert [path.read_bytes() for path in entries(local_tables)] == before
    assert reopen(local_tables).read(OLD).height == 4


def test_the_columns_are_added_once_in_a_version_of_their_own(local_tables, old_rows) -> None:
    files = sorted(folder(local_tables).glob("*.parquet"))
    local_tables.ensure_table(SAMPLES)
    local_tables.ensure_table(SAMPLES)
    assert operations(local_tables) == ["CREATE TABLE", "WRITE", "ADD COLUMN"]
    assert sorted(folder(local_tables).glob("*.parquet")) == files
    local_tables.upsert(SAMPLES, samples(9))
    assert operations(local_tables) == ["CREATE TABLE", "WRITE", "ADD COLUMN", "WRITE"]
    assert_frame_equal(local_tables.read(SAMPLES), pl.concat([old_rows, samples(9)]))


def test_versions_from_before_and_after_stay_readable(local_tables, old_rows) -> None:
    after = local_tables.upsert(SAMPLES, samples(0, 1)).version
    local_tables.upsert(SAMPLES, samples(*range(4), close=5.0))
    newer = reopen(local_tables)
    assert_frame_equal(newer.read(SAMPLES, version=0), SAMPLES.empty())
    assert_frame_equal(newer.read(SAMPLES, version=1), old_rows)
    assert_frame_equal(newer.read(SAMPLES, version=2), old_rows)
    assert_frame_equal(newer.read(SAMPLES, version=after), pl.concat([samples(0, 1), old_rows[2:]]))


def test_any_delta_reader_finds_the_columns_with_their_meaning(local_tables, old_rows) -> None:
    local_tables.upsert(SAMPLES, samples(9))
    table = DeltaTable(str(folder(local_tables)))
    found = {field.name: field.metadata["comment"] for field in table.schema().fields}
    assert found == {column.name: column.meaning for column in SAMPLES.columns}
    rows = pl.DataFrame(table.to_pyarrow_table()).sort("date").select(SAMPLES.schema.names())
    assert_frame_equal(rows, pl.concat([old_rows, samples(9)]))


def test_files_that_are_merged_have_all_columns_in_the_contract_s_order(local_tables) -> None:
    for n in range(15):
        local_tables.upsert(OLD, samples(n).drop("close"))
    local_tables.upsert(SAMPLES, samples(15))
    (merged,) = DeltaTable(str(folder(local_tables))).file_uris()
    assert list(pl.read_parquet_schema(merged)) == list(SAMPLES.schema)
    expected = pl.concat([nulled(samples(*range(15)), "close"), samples(15)])
    assert_frame_equal(reopen(local_tables).read(SAMPLES), expected)


def test_deleting_rows_of_an_older_table_upgrades_it(local_tables, old_rows) -> None:
    assert local_tables.delete_keys(SAMPLES, samples(1).select("symbol", "date")).updated == 1
    assert "ADD COLUMN" in operations(local_tables)
    assert_frame_equal(reopen(local_tables).read(SAMPLES), old_rows.filter(pl.col("horizon") != 1))


def test_who_loses_the_race_to_add_columns_goes_on(local_tables, old_rows, monkeypatch) -> None:
    add = DeltaLog.add_missing
    others = [reopen(local_tables)]

    def late(self, snapshot):
        if others:
            others.pop().upsert(SAMPLES, samples(7))
        return add(self, snapshot)

    monkeypatch.setattr(DeltaLog, "add_missing", late)
    local_tables.upsert(SAMPLES, samples(8))
    assert operations(local_tables) == ["CREATE TABLE", "WRITE", "ADD COLUMN", "WRITE", "WRITE"]
    assert_frame_equal(local_tables.read(SAMPLES), pl.concat([old_rows, samples(7, 8)]))


def test_a_writer_of_the_older_release_cannot_overtake_the_upgrade(
    local_tables, old_rows, monkeypatch
) -> None:
    commit = DeltaLog.commit
    newer = reopen(local_tables)

    def late(self, *what):
        monkeypatch.setattr(DeltaLog, "commit", commit)
        newer.ensure_table(SAMPLES)
        return commit(self, *what)

    monkeypatch.setattr(DeltaLog, "commit", late)
    with pytest.raises(StorageError, match="newer release"):
        local_tables.upsert(OLD, samples(8).drop("close"))
    assert_frame_equal(newer.read(SAMPLES), old_rows)


CHILD = """
import os, signal, sys
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.delta.log import DeltaLog
import tests.storage.conftest as c
tables = DeltaTables(sys.argv[1])
"""


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_upgrade_and_write_at_once_all_succeed(local_tables, old_rows) -> None:
    script = "print('ready', flush=True)\ninput()\n"
    script += "tables.upsert(c.SAMPLES, c.samples(int(sys.argv[2])))\n"
    writers = [child(script, local_tables.root, str(10 + n)) for n in range(3)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.communicate()
    assert operations(local_tables).count("ADD COLUMN") == 1
    assert_frame_equal(reopen(local_tables).read(SAMPLES), pl.concat([old_rows, samples(10, 11, 12)]))


@pytest.mark.parametrize("step", ["_make_durable", "commit"])
def test_a_writer_killed_during_the_upgrade_leaves_a_table_that_works(local_tables, old_rows, step) -> None:
    script = f"DeltaLog.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    script += "tables.upsert(c.SAMPLES, c.samples(9))\n"
    killed = child(script, local_tables.root)
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert operations(local_tables)[-1] == "ADD COLUMN"
    assert_frame_equal(local_tables.read(SAMPLES), old_rows)
    local_tables.upsert(SAMPLES, samples(9))
    assert_frame_equal(local_tables.read(SAMPLES), pl.concat([old_rows, samples(9)]))


def test_a_torn_upgrade_is_moved_aside_and_made_again(local_tables, old_rows) -> None:
    local_tables.ensure_table(SAMPLES)
    newest = entries(local_tables)[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    newer = reopen(local_tables)
    assert_frame_equal(newer.read(SAMPLES), old_rows)
    newer.upsert(SAMPLES, samples(9))
    assert len(newer.torn_entries(SAMPLES)) == 1
    assert operations(newer) == ["CREATE TABLE", "WRITE", "ADD COLUMN", "WRITE"]
    assert_frame_equal(newer.read(SAMPLES), pl.concat([old_rows, samples(9)]))


def test_an_upgrade_that_cannot_be_written_leaves_the_table_readable(local_tables, old_rows) -> None:
    log = folder(local_tables) / "_delta_log"
    script = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (99, resource.RLIM_INFINITY))\n"
    script += "from btc_assets.errors import StorageError\n"
    script += "try:\n    tables.ensure_table(c.SAMPLES)\nexcept StorageError as error:\n    print(error)\n"
    said, _ = child(script, local_tables.root).communicate(timeout=60)
    assert "it is unchanged" in said
    assert len(list(log.glob("*.json"))) == 2
    assert_frame_equal(reopen(local_tables).read(SAMPLES), old_rows)


def test_an_upgraded_table_opens_from_its_checkpoint(local_tables, old_rows) -> None:
    local_tables.upsert(SAMPLES, samples(9))
    local_tables._log(SAMPLES).tidy()
    assert list((folder(local_tables) / "_delta_log").glob("*.checkpoint*.parquet"))
    expected = pl.concat([old_rows, samples(9)])
    assert_frame_equal(reopen(local_tables).read(SAMPLES), expected)
    for n in range(checkpoints.EVERY):
        local_tables.upsert(SAMPLES, samples(9, close=float(n)))
    assert_frame_equal(reopen(local_tables).read(SAMPLES, version=1), old_rows)


@pytest.mark.parametrize("upgraded", [False, True])
def test_a_backup_of_such_a_table_holds_the_same_rows_and_versions(
    local_tables, old_rows, tmp_path, upgraded
) -> None:
    if upgraded:
        local_tables.upsert(SAMPLES, samples(9))
    version, taken = local_tables.version(SAMPLES), Taken()
    copy_table(Path(local_tables.root), SAMPLES, version, tmp_path / "copy", taken)
    copy = DeltaTables(str(tmp_path / "copy"))
    assert_frame_equal(copy.read(SAMPLES), local_tables.read(SAMPLES))
    assert copy.version(SAMPLES) == version
    assert_frame_equal(copy.read(SAMPLES, version=1), old_rows)
