"""Tables on S3 with a line that is cut, a bucket that refuses, and local copies that are damaged."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_s3 import FaultyS3, faulty_s3
from polars.testing import assert_frame_equal

from btc_assets.errors import CorruptData, StorageError, StorageUnavailable
from btc_assets.io.s3 import Bucket
from btc_assets.storage.delta import s3_files
from btc_assets.storage.delta.s3_files import delta_options
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry import file_cache

from .conftest import SAMPLES, samples

pytestmark = pytest.mark.faults

Open = Callable[[], DeltaTables]


@pytest.fixture(scope="module")
def proxy(s3_endpoint: str) -> Iterator[FaultyS3]:
    with faulty_s3(s3_endpoint) as running:
        yield running


@pytest.fixture
def line(proxy: FaultyS3) -> Iterator[FaultyS3]:
    yield proxy
    proxy.heal()


@pytest.fixture
def open_tables(line: FaultyS3, bucket_url: str, tmp_path: Path) -> Open:
    """A store over the line that can be cut, each time as a process would open it; copies are shared."""
    return lambda: DeltaTables(bucket_url, delta_options(line.url), tmp_path / "cache")


@pytest.mark.parametrize(
    ("fault", "step", "write"),
    [
        *((fault, step, "upsert") for fault in ("cut", "lost", "busy") for step in ("parquet", "_delta_log")),
        ("lost", "_delta_log", "insert"),
    ],
)
def test_a_write_whose_connection_breaks_once_lands_exactly_once(
    open_tables: Open, line: FaultyS3, fault: str, step: str, write: str
) -> None:
    """Also when the commit arrived and only its answer was lost, so that the second try finds it taken."""
    open_tables().upsert(SAMPLES, samples(1, 2))
    line.spoil(fault, "PUT", step, times=1)
    getattr(open_tables(), write)(SAMPLES, samples(3, 4))
    assert line.spoilt() == 1
    assert_frame_equal(open_tables().read(SAMPLES), samples(1, 2, 3, 4))
    assert open_tables().version(SAMPLES) == 2


@pytest.mark.parametrize("step", ["parquet", "_delta_log"])
def test_a_write_that_cannot_get_through_leaves_the_table_as_it_was(
    open_tables: Open, line: FaultyS3, step: str
) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    line.spoil("cut", "PUT", step)
    with pytest.raises(StorageError):
        open_tables().upsert(SAMPLES, samples(1, close=2.0))
    line.heal()
    assert_frame_equal(open_tables().read(SAMPLES), samples(1))
    open_tables().upsert(SAMPLES, samples(1, close=2.0))
    assert_frame_equal(open_tables().read(SAMPLES), samples(1, close=2.0))


def test_a_download_that_breaks_off_is_begun_again(open_tables: Open, line: FaultyS3, tmp_path: Path) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    line.spoil("half", "GET", "parquet", times=2)
    assert_frame_equal(open_tables().read(SAMPLES), samples(1))
    assert line.spoilt() == 2


def test_a_download_that_always_breaks_off_is_unavailable_and_leaves_no_copy(
    open_tables: Open, line: FaultyS3, tmp_path: Path
) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    line.spoil("half", "GET", "parquet")
    with pytest.raises(StorageUnavailable, match="broken"):
        open_tables().read(SAMPLES)
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_a_line_that_is_down_is_unavailable_whatever_is_asked(open_tables: Open, line: FaultyS3) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    line.spoil("cut")
    for ask in (DeltaTables.read, DeltaTables.exists, DeltaTables.version):
        with pytest.raises(StorageUnavailable, match="table samples"):
            ask(open_tables(), SAMPLES)
    with pytest.raises(StorageUnavailable):
        open_tables().upsert(SAMPLES, samples(2))


def test_a_bucket_that_forbids_is_not_taken_for_one_that_is_down(open_tables: Open, line: FaultyS3) -> None:
    line.spoil("forbidden")
    for ask in (DeltaTables.read, DeltaTables.exists, lambda t, s: t.upsert(s, samples(1))):
        with pytest.raises(StorageError, match=r"AccessDenied.*this role's rights") as caught:
            ask(open_tables(), SAMPLES)
        assert not isinstance(caught.value, StorageUnavailable)


def test_a_bucket_that_does_not_exist_is_named(s3_endpoint: str, tmp_path: Path) -> None:
    tables = DeltaTables("s3://no-such-bucket-here/x", delta_options(s3_endpoint), tmp_path)
    for ask in (DeltaTables.read, DeltaTables.exists, lambda t, s: t.upsert(s, samples(1))):
        with pytest.raises(StorageError, match=r"no-such-bucket-here.*check the bucket's name") as caught:
            ask(tables, SAMPLES)
        assert not isinstance(caught.value, StorageUnavailable)


CHILD = """
import sys
from pathlib import Path
from btc_assets.errors import WriteConflict
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.delta.s3_files import delta_options
from tests.storage.conftest import SAMPLES, samples
url, endpoint, cache, me = sys.argv[1:]
tables = DeltaTables(url, delta_options(endpoint), Path(cache))
"""


def two_processes(script: str, *place: str) -> list[str]:
    """What two processes that run ``script`` at once print; both must succeed."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD + script, *place, me],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in ("1", "2")
    ]
    said = []
    for process in running:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        said.append(out)
    return said


def test_T7_two_writers_of_the_same_days_leave_the_rows_of_one_write(
    open_tables: Open, bucket_url: str, s3_endpoint: str, tmp_path: Path
) -> None:
    open_tables().ensure_table(SAMPLES)
    script = "for n in range(5): tables.upsert(SAMPLES, samples(1, 2, 3, close=10.0 * int(me) + n))"
    two_processes(script, bucket_url, s3_endpoint, str(tmp_path / "cache"))
    rows = open_tables().read(SAMPLES)
    assert (rows.height, rows["close"].n_unique()) == (3, 1)
    assert rows["close"][0] in (14.0, 24.0)


def test_T7_of_two_that_insert_the_same_key_exactly_one_wins(
    open_tables: Open, bucket_url: str, s3_endpoint: str, tmp_path: Path
) -> None:
    open_tables().ensure_table(SAMPLES)
    script = """
for n in range(6):
    try:
        tables.insert(SAMPLES, samples(n, close=float(me)))
        print("won", n)
    except WriteConflict:
        pass
"""
    said = two_processes(script, bucket_url, s3_endpoint, str(tmp_path / "cache"))
    won = [[int(n) for n in re.findall(r"^won (\d)$", out, re.MULTILINE)] for out in said]
    assert sorted(won[0] + won[1]) == list(range(6))
    rows = open_tables().read(SAMPLES)
    assert rows["close"].to_list() == [1.0 if n in won[0] else 2.0 for n in range(6)]


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.parquet"))


def test_T5_a_damaged_local_copy_is_downloaded_again(
    open_tables: Open, line: FaultyS3, tmp_path: Path
) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    open_tables().read(SAMPLES)
    (copy,) = copies(tmp_path)
    copy.write_bytes(b"damaged" + copy.read_bytes()[7:])
    assert_frame_equal(open_tables().read(SAMPLES), samples(1))


def test_T5_a_damaged_remote_file_is_refused_and_no_copy_kept(
    open_tables: Open, bucket_url: str, s3_endpoint: str, tmp_path: Path
) -> None:
    open_tables().upsert(SAMPLES, samples(1))
    open_tables().read(SAMPLES)
    (copy,) = copies(tmp_path)
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    Bucket(bucket_url, s3_endpoint).put(f"tables/samples/{copy.name}", bytes(content))
    copy.unlink()
    with pytest.raises(CorruptData, match="is damaged"):
        open_tables().read(SAMPLES)
    assert copies(tmp_path) == []


def test_T6_a_missing_remote_file_is_refused_with_how_to_rebuild(
    open_tables: Open, bucket_url: str, s3_endpoint: str
) -> None:
    import boto3

    open_tables().upsert(SAMPLES, samples(1))
    name, _, prefix = bucket_url.removeprefix("s3://").partition("/")
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    for item in client.list_objects_v2(Bucket=name, Prefix=prefix)["Contents"]:
        if item["Key"].endswith(".parquet"):
            client.delete_object(Bucket=name, Key=item["Key"])
    with pytest.raises(CorruptData, match=r"\.parquet is missing.*materialise"):
        open_tables().read(SAMPLES)


def test_local_copies_of_tables_are_bounded_and_those_in_use_stay(
    open_tables: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 10_000
    monkeypatch.setattr(s3_files, "trim", lambda entries: file_cache.trim(entries, limit))
    for n in range(12):
        open_tables().upsert(SAMPLES, samples(n, close=float(n)))
        assert open_tables().read(SAMPLES).height == n + 1
    kept = copies(tmp_path)
    newest = {file.name for file in open_tables()._log(SAMPLES).open().files}
    assert newest <= {path.name for path in kept}
    others = [path for path in kept if path.name not in newest]
    assert sum(path.stat().st_size for path in others) <= limit
    assert len(others) < 12
