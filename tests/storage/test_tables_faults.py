"""Faults made to happen for real to a table: kills, damage, full disks, writers at once (T1 to T9)."""

from __future__ import annotations

import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from btc_assets.errors import BtcError, CorruptData, StorageError, TableMissing
from btc_assets.storage.delta.data_files import LocalFolder
from btc_assets.storage.delta.store import DeltaTables

from .conftest import SAMPLES, day, samples

CHILD = """
import os, pathlib, signal, sys
import tests.storage.conftest as c
from btc_assets.storage.delta import checkpoints, data_files, log, store
tables, root = store.DeltaTables(sys.argv[1]), sys.argv[1]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
"""


def child(script: str, root: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run ``script`` after CHILD in a new interpreter, with ``tests`` importable."""
    return subprocess.run(
        [sys.executable, "-c", CHILD + script, str(root)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def table_folder(tables: DeltaTables) -> Path:
    return Path(tables.root) / "tables" / SAMPLES.name


def data_files(tables: DeltaTables) -> list[Path]:
    return sorted(table_folder(tables).glob("*.parquet"))


def log_entries(tables: DeltaTables) -> list[Path]:
    return sorted((table_folder(tables) / "_delta_log").glob("*.json"))


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


STEPS = {
    "before the data file": "data_files.LocalFolder.write = lambda self, name, content: die()",
    "half a data file": (
        "data_files.write_atomically = "
        "lambda path, content: (path.with_name('.x.tmp').write_bytes(content[:99]), die())"
    ),
    "between data and commit": "log.DeltaLog.commit = lambda *_: die()",
    "after the commit": "log.DeltaLog._make_durable = lambda *_: die()",
    "between checkpoint and its hash": "checkpoints.write_atomically = lambda *_: die()",
}


@pytest.mark.parametrize("step", STEPS)
def test_T1_a_writer_killed_at_any_step_leaves_old_or_new(local_tables, step) -> None:
    old, new = samples(*range(10)), samples(*range(10), close=2.0)
    local_tables.upsert(SAMPLES, old)
    script = f"{STEPS[step]}\ntables.upsert(c.SAMPLES, c.samples(*range(10), close=2.0))\n"
    if "checkpoint" in step:
        script += "tables._log(c.SAMPLES).tidy()\n"
    result = child(script, local_tables.root)
    assert result.returncode == -9, result.stderr
    committed = step in {"after the commit", "between checkpoint and its hash"}
    assert_frame_equal(DeltaTables(local_tables.root).read(SAMPLES), new if committed else old)
    receipt = local_tables.upsert(SAMPLES, new)
    assert (receipt.inserted + receipt.updated > 0) is not committed
    assert_frame_equal(local_tables.read(SAMPLES), new)


def test_T1_a_writer_killed_at_random_moments_never_leaves_half(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(*range(40)))
    script = "n = 1.0\nprint('go', flush=True)\n"
    script += "while True:\n    n += 1; tables.upsert(c.SAMPLES, c.samples(*range(40), close=n))"
    chance = random.Random(7)
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", CHILD + script, local_tables.root],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"go\n"
        time.sleep(chance.uniform(0, 0.15))
        writer.kill()
        writer.communicate()
        rows = DeltaTables(local_tables.root).read(SAMPLES)
        assert rows.height == 40
        assert rows["close"].n_unique() == 1


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
"""
ATTEMPT = """
from btc_assets.errors import StorageError
try:
    tables.upsert(c.SAMPLES, c.samples(*range(2000), close=2.0))
except StorageError as error:
    print(error)
    sys.exit(7)
"""
READ_ATTEMPT = """
from btc_assets.errors import StorageError, TableMissing
try:
    print(tables.read(c.SAMPLES))
except TableMissing:
    raise
except StorageError as error:
    print(error)
    sys.exit(7)
"""


def test_T2_a_disk_that_is_full_for_data_fails_clearly(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(0, 1))
    script = FULL.replace("int(sys.argv[2])", "2_000") + ATTEMPT
    result = child(script, local_tables.root)
    assert result.returncode == 7, result.stderr
    assert "unchanged" in result.stdout
    assert not list(table_folder(local_tables).glob(".*.tmp"))
    assert_frame_equal(DeltaTables(local_tables.root).read(SAMPLES), samples(0, 1))


def test_T2_a_disk_that_is_full_for_the_log_fails_clearly(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(0, 1))
    script = """
import resource
commit = log.DeltaLog.commit
def full(*args):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    return commit(*args)
log.DeltaLog.commit = full
"""
    result = child(script + ATTEMPT, local_tables.root)
    assert result.returncode == 7, result.stderr
    assert_frame_equal(DeltaTables(local_tables.root).read(SAMPLES), samples(0, 1))
    assert local_tables.upsert(SAMPLES, samples(2)).inserted == 1


def test_T3_a_read_only_folder_fails_clearly_and_stays_readable() -> None:
    # Permissions do not bind root, so the attempt is made as another user, who must be able to get there.
    with tempfile.TemporaryDirectory() as root:
        tables = DeltaTables(root)
        tables.upsert(SAMPLES, samples(0, 1))
        for path in [Path(root), *Path(root).rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        script = "if os.geteuid() == 0: os.seteuid(65534)\n"
        script += "assert tables.read(c.SAMPLES).height == 2\n" + ATTEMPT
        result = child(script, Path(root))
        for path in [Path(root), *(p for p in Path(root).rglob("*") if p.is_dir())]:
            path.chmod(0o755)
        assert result.returncode == 7, result.stderr + result.stdout
        assert "Permission denied" in result.stdout
        assert_frame_equal(tables.read(SAMPLES), samples(0, 1))


def test_T4_an_entry_that_is_torn_after_it_was_read_is_noticed(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(0))
    local_tables.upsert(SAMPLES, samples(1))
    assert local_tables.read(SAMPLES).height == 2
    newest = max((table_folder(local_tables) / "_delta_log").glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:100])
    assert_frame_equal(local_tables.read(SAMPLES), samples(0))


def test_T3_a_log_that_may_no_longer_be_listed_is_said_also_of_a_table_that_was_read_before() -> None:
    with tempfile.TemporaryDirectory() as root:
        DeltaTables(root).upsert(SAMPLES, samples(0, 1))
        Path(root).chmod(0o755)
        script = "tables.read(c.SAMPLES)\n"
        script += "pathlib.Path(sys.argv[1], 'tables', 'samples', '_delta_log').chmod(0o311)\n"
        script += "if os.geteuid() == 0: os.seteuid(65534)\n"
        result = child(script + READ_ATTEMPT, Path(root))
        assert result.returncode == 7, result.stderr + result.stdout
        assert "Permission denied" in result.stdout


@pytest.mark.parametrize("hidden", ["", "*/_delta_log", "*/_delta_log/*.json", "*/*.parquet"])
def test_T3_what_this_user_may_not_read_is_neither_missing_nor_damaged(hidden: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        tables = DeltaTables(root)
        tables.upsert(SAMPLES, samples(0, 1))
        for path in [Path(root), *Path(root).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        for path in Path(root).rglob(hidden) if hidden else [Path(root)]:
            path.chmod(0)
        script = "if os.geteuid() == 0: os.seteuid(65534)\n" + READ_ATTEMPT
        result = child(script, Path(root))
        Path(root).chmod(0o755)
        for path in Path(root).rglob("*"):
            path.chmod(0o755)
        assert result.returncode == 7, result.stderr + result.stdout
        assert "Permission denied" in result.stdout
        assert "materialise" not in result.stdout
        assert_frame_equal(tables.read(SAMPLES), samples(0, 1))


@pytest.mark.parametrize("obstacle", ["file", "loop"])
def test_T3_what_is_in_the_place_of_a_folder_is_named(tmp_path: Path, obstacle: str) -> None:
    place = tmp_path / "data"
    place.write_text("x") if obstacle == "file" else place.symlink_to(place)
    tables = DeltaTables(str(place / "real"))
    for attempt in (lambda: tables.read(SAMPLES), lambda: tables.exists(SAMPLES)):
        with pytest.raises(StorageError, match=r"Not a directory|symbolic links") as refused:
            attempt()
        assert not isinstance(refused.value, TableMissing)


@pytest.mark.parametrize("damage", ["empty", "half", "zeros"])
def test_T4_a_torn_log_gives_the_last_good_version_and_an_alarm(local_tables, caplog, damage) -> None:
    local_tables.upsert(SAMPLES, samples(0))
    local_tables.upsert(SAMPLES, samples(1))
    last = log_entries(local_tables)[-1]
    content = last.read_bytes()
    torn = {"empty": b"", "half": content[: len(content) // 2], "zeros": bytes(len(content))}[damage]
    last.write_bytes(torn)
    with caplog.at_level(logging.WARNING):
        assert_frame_equal(DeltaTables(local_tables.root).read(SAMPLES), samples(0))
        assert_frame_equal(local_tables.read(SAMPLES), samples(0))
    assert "ALARM" in caplog.text
    assert local_tables.upsert(SAMPLES, samples(1)).inserted == 1
    assert_frame_equal(local_tables.read(SAMPLES), samples(0, 1))
    (alarm,) = local_tables.torn_entries(SAMPLES)
    assert last.name in alarm


@pytest.mark.parametrize("keep", [0, 1, 100, 400])
def test_T4_a_table_that_was_torn_when_it_was_created_is_created_again(local_tables, keep) -> None:
    local_tables.ensure_table(SAMPLES)
    (first,) = log_entries(local_tables)
    for use in ("ensure", "write", "read"):
        first.write_bytes(first.read_bytes()[:keep])
        tables = DeltaTables(local_tables.root)
        if use == "ensure":
            tables.ensure_table(SAMPLES)
        elif use == "write":
            assert tables.upsert(SAMPLES, samples(0)).inserted == 1
            tables.delete_keys(SAMPLES, samples(0))
            shutil.rmtree(first.parent.parent)
            tables.ensure_table(SAMPLES)
        else:
            with pytest.raises(TableMissing, match="was torn when it was created"):
                tables.read(SAMPLES)
            tables.ensure_table(SAMPLES)
        assert DeltaTables(local_tables.root).read(SAMPLES).is_empty()
    assert len(local_tables.torn_entries(SAMPLES)) == 1, "kept for a person since the folder was made anew"


def test_T4_a_torn_entry_within_the_log_is_refused(local_tables) -> None:
    for n in range(3):
        local_tables.upsert(SAMPLES, samples(n))
    log_entries(local_tables)[2].write_bytes(b"{")
    with pytest.raises(CorruptData, match="log of table samples"):
        DeltaTables(local_tables.root).read(SAMPLES)


def test_T4_a_commit_of_another_program_is_not_taken_for_damage(local_tables) -> None:
    from deltalake import write_deltalake

    local_tables.upsert(SAMPLES, samples(0))
    write_deltalake(table_folder(local_tables), samples(1), mode="append")
    with pytest.raises(StorageError, match="not written by this store"):
        local_tables.upsert(SAMPLES, samples(2))
    assert len(log_entries(local_tables)) == 3


@pytest.mark.parametrize("damage", ["flipped", "hash lost"])
def test_T5_a_damaged_checkpoint_is_dropped_before_it_is_decoded(local_tables, damage) -> None:
    for n in range(3):
        local_tables.upsert(SAMPLES, samples(n))
    local_tables._log(SAMPLES).tidy()
    (checkpoint,) = table_folder(local_tables).glob("_delta_log/*.checkpoint.parquet")
    if damage == "flipped":
        flip(checkpoint, 8 * 1000)
    else:
        (table_folder(local_tables) / "_checkpoint_hashes" / checkpoint.name).unlink()
    assert_frame_equal(DeltaTables(local_tables.root).read(SAMPLES), samples(0, 1, 2))
    assert not checkpoint.exists()
    local_tables._log(SAMPLES).tidy()
    assert checkpoint.exists()


def test_T5_every_flipped_bit_in_a_data_file_is_caught_before_decoding(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(*range(50)))
    (path,) = data_files(local_tables)
    chance = random.Random(5)
    for bit in chance.sample(range(8 * path.stat().st_size), 300):
        flip(path, bit)
        with pytest.raises(CorruptData, match=r"damaged: its bytes hash to .*from a backup; or, but only of"):
            local_tables.read(SAMPLES)
        flip(path, bit)
    assert local_tables.read(SAMPLES).height == 50


def test_T5_damage_that_leaves_the_time_of_change_is_caught_by_the_next_process(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(*range(50)))
    (path,) = data_files(local_tables)
    local_tables.read(SAMPLES)
    stat = path.stat()
    flip(path, 3333)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    LocalFolder._verified.clear()
    with pytest.raises(CorruptData, match="damaged"):
        local_tables.read(SAMPLES)


@pytest.mark.parametrize("entry", [1, 2])
def test_T5_no_flipped_bit_in_the_log_gives_wrong_rows(local_tables, caplog, entry) -> None:
    local_tables.upsert(SAMPLES, samples(0, 1))
    local_tables.upsert(SAMPLES, samples(1, 2, close=3.0))
    right = local_tables.read(SAMPLES)
    path = log_entries(local_tables)[entry]
    chance = random.Random(entry)
    caught = 0
    for bit in chance.sample(range(8 * path.stat().st_size), 150):
        flip(path, bit)
        caplog.clear()
        try:
            got = DeltaTables(local_tables.root).read(SAMPLES)
        except BtcError:
            caught += 1
        else:
            if "ALARM" in caplog.text:
                caught += 1
                assert_frame_equal(got, samples(0, 1))
            else:
                assert_frame_equal(got, right)
        flip(path, bit)
    assert caught > 50


def test_T6_a_missing_data_file_is_refused_with_how_to_rebuild(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(0))
    (path,) = data_files(local_tables)
    path.unlink()
    with pytest.raises(CorruptData, match=f"{path.name} cannot be read.*materialise"):
        local_tables.read(SAMPLES)
    with pytest.raises(CorruptData, match=path.name):
        local_tables.upsert(SAMPLES, samples(0, close=2.0))


def test_T6_a_missing_old_entry_of_the_log_is_refused(local_tables) -> None:
    for n in range(3):
        local_tables.upsert(SAMPLES, samples(n))
    log_entries(local_tables)[1].unlink()
    with pytest.raises(CorruptData):
        DeltaTables(local_tables.root).read(SAMPLES)


def writers(root: str, scripts: list[str]) -> None:
    """Run all scripts at once; each must succeed."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD + script, root],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
        )
        for script in scripts
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()


@pytest.mark.parametrize("backend", ["local", "s3"])
def test_T7_writers_of_different_days_all_land(request, tmp_path, backend) -> None:
    make = "tables"
    tables = DeltaTables(str(tmp_path / "store"))
    if backend == "s3":
        from btc_assets.storage.delta.s3_files import delta_options

        options = delta_options(request.getfixturevalue("s3_endpoint"))
        tables = DeltaTables(request.getfixturevalue("bucket_url"), options, tmp_path / "cache")
        make = f"store.DeltaTables({tables.root!r}, {options!r}, pathlib.Path({str(tables.cache)!r}))"
    script = f"tables = {make}\nfor n in range(4): tables.upsert(c.SAMPLES, c.samples(100 * WRITER + n))"
    writers(tables.root, [script.replace("WRITER", str(i)) for i in range(3)])
    expected = samples(*(100 * i + n for i in range(3) for n in range(4)))
    assert_frame_equal(tables.read(SAMPLES), expected)


def test_T7_writers_of_the_same_day_leave_one_row_and_no_mixture(local_tables) -> None:
    script = "for n in range(4): tables.upsert(c.SAMPLES, c.samples(1, 2, close=10.0 * {i} + n))"
    writers(local_tables.root, [script.format(i=i) for i in range(3)])
    rows = local_tables.read(SAMPLES)
    assert rows["date"].to_list() == [day(1), day(2)]
    assert rows["close"].n_unique() == 1


def test_T7_of_two_that_insert_the_same_key_one_wins(local_tables) -> None:
    local_tables.ensure_table(SAMPLES)
    script = """
from btc_assets.errors import WriteConflict
for n in range(8):
    try:
        tables.insert(c.SAMPLES, c.samples(n, close=float({i})))
        print('won', n)
    except WriteConflict:
        pass
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD + script.format(i=i), local_tables.root],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        )
        for i in (1, 2)
    ]
    won = [re.findall(r"^won (\d+)$", p.communicate(timeout=120)[0].decode(), re.M) for p in running]
    assert sorted(map(int, won[0] + won[1])) == list(range(8))
    closes = local_tables.read(SAMPLES)["close"].to_list()
    assert closes == [1.0 if str(n) in won[0] else 2.0 for n in range(8)]


def test_T9_what_a_killed_writer_left_is_swept_up_after_a_day(local_tables) -> None:
    local_tables.upsert(SAMPLES, samples(0))
    local_tables.upsert(SAMPLES, samples(0, close=2.0))
    folder = table_folder(local_tables)
    orphan = folder / data_files(local_tables)[0].name.replace("_1_", "_9_")
    leftovers = [orphan, folder / ".half.tmp", folder / "_delta_log" / "_commit_x.json.tmp"]
    young = folder / ".young.tmp"
    for path in [*leftovers, young]:
        path.write_bytes(b"left behind")
    two_days_ago = time.time() - 2 * 86_400
    for path in [*leftovers, *data_files(local_tables)]:
        os.utime(path, (two_days_ago, two_days_ago))
    local_tables._log(SAMPLES).tidy()
    assert not any(path.exists() for path in leftovers)
    assert young.exists()
    assert_frame_equal(local_tables.read(SAMPLES, version=1), samples(0))
    assert local_tables.upsert(SAMPLES, samples(1)).inserted == 1


def test_years_of_daily_writes_stay_a_handful_of_files(local_tables) -> None:
    for n in range(120):
        local_tables.upsert(SAMPLES, samples(n))
    assert len(local_tables._log(SAMPLES).open().files) < 40
    assert local_tables.read(SAMPLES)["date"].to_list() == [day(n) for n in range(120)]
