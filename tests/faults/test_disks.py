"""A real small disk that fills up, a disk that turns read-only, a file that cannot be read (T2, T3)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from btc_assets.errors import CorruptData
from btc_assets.storage.delta.store import DeltaTables
from tests.storage.conftest import SAMPLES, samples

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
Recorder = Callable[[str, object], None]

ON_ITS_OWN_DISK = """
import datetime as dt, pathlib, subprocess, sys
import tests.storage.conftest as c
from tiny_vintage import METRICS, write_vintage
from btc_assets.errors import StorageError
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
disk, made = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=True)
tables, registry = DeltaTables(str(disk)), FolderRegistry(disk)
write_vintage(made, "mlp", dt.date(2024, 6, 1))
"""

FULL = """
full, written = [], {}
for attempt in range(400):
    days = range(100 * attempt, 100 * attempt + 100)
    try:
        tables.upsert(c.SAMPLES, c.samples(*days))
        written[attempt] = True
    except StorageError as error:
        full.append(str(error))
        if len(full) == 20:
            break
assert all("No space left" in text for text in full), full[-1]
assert len(written) > 10, len(written)
models = 0
for revision in range(400):
    try:
        registry.publish("mlp", VintageId(dt.date(2024, 6, 1), revision), made)
        models += 1
    except StorageError as error:
        assert "No space left" in str(error), error
        break
assert models < 400
rows = DeltaTables(str(disk)).read(c.SAMPLES)
expected = [c.day(100 * a + i) for a in sorted(written) for i in range(100)]
assert rows["date"].to_list() == expected, (rows.height, len(expected))
assert [ref.vintage.revision for ref in registry.versions("mlp")] == list(range(models))
subprocess.run(["mount", "-o", "remount,size=30m", str(disk)], check=True)
tables.upsert(c.SAMPLES, c.samples(90_000))
registry.publish("mlp", VintageId(dt.date(2024, 6, 1), models), made)
assert DeltaTables(str(disk)).read(c.SAMPLES).height == len(expected) + 1
print("trials", len(full) + 1)
"""

READ_ONLY = """
tables.upsert(c.SAMPLES, c.samples(0, 1))
ref = registry.publish("mlp", VintageId(dt.date(2024, 6, 1)), made)
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
refused = 0
for attempt in (
    lambda: tables.upsert(c.SAMPLES, c.samples(2)),
    lambda: tables.delete_keys(c.SAMPLES, c.samples(0).select(c.SAMPLES.key)),
    lambda: DeltaTables(str(disk)).upsert(c.SAMPLES, c.samples(0, close=2.0)),
    lambda: registry.publish("mlp", VintageId(dt.date(2024, 6, 2)), made),
):
    try:
        attempt()
    except StorageError as error:
        assert "Read-only" in str(error), error
        refused += 1
assert refused == 4, refused
assert DeltaTables(str(disk)).read(c.SAMPLES).equals(c.samples(0, 1))
assert FolderRegistry(disk).model_folder(ref).is_dir()
print("trials", refused)
"""


def on_its_own_disk(script: str, tmp_path: Path) -> int:
    """Run ``script`` in a mount namespace with a file system of 3 MB; how many trials it counted."""
    (tmp_path / "disk").mkdir()
    namespace = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system; test_T2_* in tests/storage need none")
    command = [sys.executable, "-c", ON_ITS_OWN_DISK + script, str(tmp_path / "disk"), str(tmp_path / "made")]
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    }
    done = subprocess.run(
        [*namespace, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.split()[-1])


def test_T2_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(
    tmp_path: Path, record_property: Recorder
) -> None:
    record_property("trials", on_its_own_disk(FULL, tmp_path))


def test_T3_a_disk_that_turned_read_only_refuses_and_stays_readable(
    tmp_path: Path, record_property: Recorder
) -> None:
    record_property("trials", on_its_own_disk(READ_ONLY, tmp_path))


def test_T2_a_file_that_gives_an_input_output_error_is_refused_and_named(tmp_path: Path) -> None:
    """Reading the start of /proc/self/mem fails with EIO, as a bad sector does."""
    tables = DeltaTables(str(tmp_path))
    tables.upsert(SAMPLES, samples(0))
    (path,) = (tmp_path / "tables" / SAMPLES.name).glob("*.parquet")
    path.unlink()
    path.symlink_to("/proc/self/mem")
    with pytest.raises(CorruptData, match=f"{path.name} cannot be read .Input/output error"):
        tables.read(SAMPLES)
