"""Backup and restore: taken while a real run writes, verified, and refused wherever something is wrong."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_fixture import RunBtc
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at

from btc_assets.backup import restore as restoring
from btc_assets.backup.archive import read_manifest, unpack
from btc_assets.backup.make import backup
from btc_assets.backup.restore import check, restore
from btc_assets.backup.snapshot import pin
from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.errors import BackupError, BtcError, ConfigurationError, StorageError
from btc_assets.factory import all_tables, open_registry, open_tables
from btc_assets.launch import open_instance
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry

SPECS = list(all_tables().values())


@pytest.fixture(scope="module")
def stored(
    issued: Path, loaded: tuple[Path, Exchange], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, Path]]:
    """A store with three forecasts, and its archive; for reading only."""
    archive = tmp_path_factory.mktemp("stored") / "stored.tar.gz"
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, loaded[1], issued)
        backup(settings, archive, SPECS)
        yield settings, archive


@pytest.fixture(autouse=True)
def home_beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened an instance before left its home in the environment."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Settings for a place where nothing is yet."""
    return load({}, data_dir=str(tmp_path / "new"))


def rows(settings: Settings) -> dict[str, int]:
    tables = open_tables(settings)
    return {name: tables.read(spec).height for name, spec in all_tables().items() if tables.exists(spec)}


def test_what_is_restored_is_what_was_backed_up(stored: tuple[Settings, Path], empty: Settings) -> None:
    settings, archive = stored
    _, report = restore(empty, archive, SPECS)
    assert report.ok
    assert rows(empty) == rows(settings)
    assert (report.live, report.back_filled) == (0, 3)
    before, after = (
        {
            f.relative_to(s.root): f.read_bytes()
            for f in sorted(Path(s.root, "models").rglob("*"))
            if f.is_file()
        }
        for s in (settings, empty)
    )
    assert before == after
    with open_instance(empty) as instance:
        assert len(instance.get_materialized_partitions(_key("forecasts"))) == 3
        assert instance.get_runs_count() == 2


def _key(name: str) -> object:
    import dagster as dg

    return dg.AssetKey([name])


def test_a_restored_store_goes_on(
    stored: tuple[Settings, Path], empty: Settings, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore(empty, stored[1], SPECS)
    exchange.list_market(LAST - 40 * DAY, LAST + DAY)
    exchange.clock = dt.datetime.now(dt.UTC)
    settings = point_settings_at(monkeypatch, exchange, Path(empty.data_dir))
    with open_instance(settings) as instance:
        GraphEnvironment(exchange, settings, instance).run("market_history", LAST + DAY, LAST + DAY)
    assert open_tables(settings).read(RAW_KLINES, start=LAST + DAY).height == 1
    assert verify(open_tables(settings), open_registry(settings), "BTCUSDT").ok


def test_old_versions_stay_readable_after_a_restore(stored: tuple[Settings, Path], empty: Settings) -> None:
    settings, archive = stored
    restore(empty, archive, SPECS)
    old, new = open_tables(settings), open_tables(empty)
    for version in range(old.version(RAW_KLINES) + 1):
        assert new.read(RAW_KLINES, version=version).equals(old.read(RAW_KLINES, version=version))  # type: ignore[call-arg]


WRITER = """
import datetime as dt, sys
from btc_assets.launch import open_instance, run_window
from btc_assets.defs.partitions import Window
from btc_assets.settings import load
first, count = dt.date.fromisoformat(sys.argv[1]), int(sys.argv[2])
with open_instance(load()) as instance:
    for n in range(count):
        day = first + n * dt.timedelta(days=1)
        run_window(instance, "daily_partition", Window(day, day + dt.timedelta(days=1)))
"""


def writer(graph: GraphEnvironment, first: dt.date, count: int) -> subprocess.Popen[str]:
    """Days of the real job one by one, in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(first), str(count)],
        env=clean | graph.settings.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.faults
def test_a_backup_that_is_taken_while_a_run_writes_is_consistent(
    graph: GraphEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups one after the other, from before the first write to after the last; all are restored."""
    days = 5
    graph.register(LAST, LAST + days * DAY)
    process = writer(graph, LAST + DAY, days)
    taken: dict[str, Path] = {}
    try:
        running = True
        while running:
            running = process.poll() is None
            archive = tmp_path / f"{time.monotonic_ns()}.tar.gz"
            taken.setdefault(str(backup(graph.settings, archive, SPECS).tables), archive)
    finally:
        process.kill()
        said, _ = process.communicate()
    assert process.returncode == 0, said
    counts = []
    for number, archive in enumerate(taken.values()):
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        place = load({}, data_dir=str(tmp_path / str(number)))
        _, report = restore(place, archive, SPECS)
        assert report.ok, report.line()
        counts.append((rows(place)["raw_klines"], report.rows))
        with open_instance(place) as instance:
            done = instance.get_materialized_partitions(_key("forecasts"))  # type: ignore[arg-type]
        origins = open_tables(place).read(FORECASTS, ["origin_date"])["origin_date"] if report.rows else []
        assert {dt.date.fromisoformat(day) for day in done} <= set(origins)
    assert counts == sorted(counts)
    assert counts[-1] == (867 + days, 270 * days)
    assert len(counts) > 3, "no backup fell into the runs"


def test_a_half_issued_forecast_is_waited_out(
    stored: tuple[Settings, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record whose rows never come (its writer died) ends in a clear refusal, not in a bad archive."""
    settings, _ = stored
    shutil.copytree(Path(settings.root), tmp_path / "data" / "real")
    place = load({}, data_dir=str(tmp_path / "data"))
    tables = open_tables(place)
    newest = tables.read(FORECASTS, start=LAST)
    tables.delete_keys(FORECASTS, newest.select(FORECASTS.key))
    monkeypatch.setattr("btc_assets.backup.snapshot.SNAPSHOT_TIMEOUT", 0.3)
    out = tmp_path / "x.tar.gz"
    with pytest.raises(BackupError, match="its 270 rows are gone; `btc rebuild"):
        backup(place, out, SPECS)
    assert not out.exists()
    manifest = backup(place, out, SPECS, even_if_damaged=True)
    assert not manifest.sound
    _, report = restore(load({}, data_dir=str(tmp_path / "new")), out, SPECS)
    assert report.line() == manifest.verdict


def test_the_first_forecast_of_a_store_is_waited_for_too(
    stored: tuple[Settings, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is there before the table of its rows is."""
    root, aside = Path(shutil.copytree(stored[0].root, tmp_path / "store")), tmp_path / "forecasts"
    (root / "tables" / "forecasts").rename(aside)
    written = lambda _seconds: aside.rename(root / "tables" / "forecasts")  # noqa: E731
    monkeypatch.setattr("btc_assets.backup.snapshot.time.sleep", written)
    assert FORECASTS in pin(DeltaTables(str(root)), FolderRegistry(root), SPECS, "BTCUSDT")


def test_T5_a_flipped_bit_in_the_archive_is_refused_or_changes_nothing(
    stored: tuple[Settings, Path], tmp_path: Path
) -> None:
    """200 trials anywhere in the archive; whatever is unpacked hashes to what was packed."""
    archive = tmp_path / "whole.tar.gz"
    backup(stored[0], archive, SPECS, with_dagster=False)
    content, whole = archive.read_bytes(), unpack(archive, None).files
    dice, refused = random.Random(5), 0
    for trial in range(200):
        place = dice.randrange(2000 if trial % 2 else len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << dice.randrange(8)
        damaged = tmp_path / "damaged.tar.gz"
        damaged.write_bytes(flipped)
        try:
            assert unpack(damaged, None).files == whole
        except BackupError:
            refused += 1
    assert refused > 190


def test_T5_a_flipped_bit_is_refused_by_restore_and_leaves_nothing(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path
) -> None:
    """A bit of the checksum at the end: of the others one in 250 changes nothing (zeros from elsewhere)."""
    content = bytearray(stored[1].read_bytes())
    content[-6] ^= 1
    (tmp_path / "damaged.tar.gz").write_bytes(content)
    for attempt in (check, restore):
        with pytest.raises(BackupError, match=r"damaged\.tar\.gz"):
            attempt(empty, tmp_path / "damaged.tar.gz", SPECS)
    assert not Path(empty.root).exists()
    assert not list(Path(empty.root).parent.glob(".*"))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_torn_archive_is_refused(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path, share: float
) -> None:
    content = stored[1].read_bytes()
    (tmp_path / "torn.tar.gz").write_bytes(content[: int(share * len(content))])
    with pytest.raises(BackupError, match=r"torn\.tar\.gz"):
        restore(empty, tmp_path / "torn.tar.gz", SPECS)


def test_a_missing_archive_and_a_file_that_is_none_are_refused(empty: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is no such archive"):
        check(empty, tmp_path / "nowhere", SPECS)
    (tmp_path / "text").write_text("not an archive")
    with pytest.raises(BackupError, match="torn, altered or no archive"):
        check(empty, tmp_path / "text", SPECS)
    with gzip.open(tmp_path / "other.tar.gz", "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("etc/passwd"))
    with pytest.raises(BackupError, match=r"no archive of `btc backup`"):
        check(empty, tmp_path / "other.tar.gz", SPECS)


Edit = Callable[[dict[str, bytes]], None]


def forged(source: Path, target: Path, edit: Edit) -> Path:
    """The archive with other members under a list that fits ``edit``'s own files: made by an attacker."""
    members: dict[str, bytes] = {}
    with gzip.open(source) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        while (member := tar.next()) is not None:
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    name = next(iter(members))
    fields = json.loads(members.pop(name))
    edit(members)
    fields["files"] = {k: [len(v), hashlib.sha256(v).hexdigest()] for k, v in members.items()}
    content = json.dumps(fields).encode()
    with gzip.open(target, "wb", 1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for path, body in {
            f"manifest-{hashlib.sha256(content).hexdigest()}.json": content,
            **members,
        }.items():
            info = tarfile.TarInfo(path)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return target


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/outside", "tables/../../outside", "elsewhere/x", "tables"]
)
def test_D12_a_path_out_of_the_archive_is_refused(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path, name: str
) -> None:
    archive = forged(stored[1], tmp_path / "forged.tar.gz", lambda files: files.update({name: b"x"}))
    with pytest.raises(BackupError, match="no path inside the archive"):
        restore(empty, archive, SPECS)
    assert not list(tmp_path.rglob("outside*"))


def test_a_table_that_was_altered_together_with_its_list_is_refused(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path
) -> None:
    """Hashes of names and of the ledger still hold where those of the archive were made to fit."""

    def alter(files: dict[str, bytes]) -> None:
        name = next(
            name for name in files if name.startswith("tables/forecasts/") and name.endswith(".parquet")
        )
        files[name] = files[name][:-9] + b"x" + files[name][-8:]

    archive = forged(stored[1], tmp_path / "forged.tar.gz", alter)
    with pytest.raises(StorageError, match="damaged"):
        restore(empty, archive, SPECS)
    assert not Path(empty.root).exists()


def test_a_database_that_is_damaged_is_refused(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path
) -> None:
    def alter(files: dict[str, bytes]) -> None:
        files["dagster/history/runs.db"] = files["dagster/history/runs.db"][:5000]

    archive = forged(stored[1], tmp_path / "forged.tar.gz", alter)
    with pytest.raises(StorageError, match=r"runs\.db is damaged"):
        restore(empty, archive, SPECS)


def test_nothing_is_overwritten(stored: tuple[Settings, Path], empty: Settings) -> None:
    settings, archive = stored
    before = rows(settings)
    with pytest.raises(BackupError, match="is not empty, and nothing is overwritten"):
        restore(settings, archive, SPECS)
    assert rows(settings) == before
    with pytest.raises(BackupError, match="exists already"):
        backup(settings, archive, SPECS)
    Path(empty.root).mkdir(parents=True)
    restore(empty, archive, SPECS)
    with pytest.raises(BackupError, match="is not empty"):
        restore(empty, archive, SPECS)


def test_check_looks_at_everything_and_puts_nothing_anywhere(
    stored: tuple[Settings, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, archive = stored
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    manifest, report = check(settings, archive, SPECS)
    assert report.ok
    assert len(manifest.models) == len(set(manifest.models)) >= 4
    assert manifest.databases >= 3
    assert list(tmp_path.iterdir()) == []


def test_real_and_simulated_data_never_mix(stored: tuple[Settings, Path], tmp_path: Path) -> None:
    simulated = load({}, source="simulated", data_dir=str(tmp_path))
    for attempt in (check, restore):
        with pytest.raises(
            BackupError, match="is of the real market, the settings are for the SIMULATED market"
        ):
            attempt(simulated, stored[1], SPECS)
    with pytest.raises(BackupError, match="is of BTCUSDT, the settings are for ETHUSDT"):
        restore(load({}, symbol="ETHUSDT", data_dir=str(tmp_path)), stored[1], SPECS)


def test_a_home_of_dagster_elsewhere_is_restored_there(
    stored: tuple[Settings, Path], empty: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    restore(empty, stored[1], SPECS)
    assert (tmp_path / "home" / "history" / "runs.db").exists()
    assert not (Path(empty.root) / "dagster").exists()
    shutil.rmtree(empty.root)
    with pytest.raises(BackupError, match="set DAGSTER_HOME to another folder"):
        restore(empty, stored[1], SPECS)


FULL = """
import resource, sys
from pathlib import Path
from btc_assets.backup.make import backup
from btc_assets.backup.restore import restore
from btc_assets.factory import all_tables
from btc_assets.errors import BtcError
from btc_assets.settings import load
act, data, archive, most = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), resource.RLIM_INFINITY))
try:
    specs = list(all_tables().values())
    (restore if act == "restore" else backup)(load({}, data_dir=data), Path(archive), specs)
except BtcError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("act", ["restore", "backup"])
def test_T2_a_full_disk_is_one_sentence_and_leaves_nothing(
    stored: tuple[Settings, Path], tmp_path: Path, act: str
) -> None:
    settings, archive = stored
    data = str(tmp_path / "new") if act == "restore" else settings.data_dir
    place = str(archive) if act == "restore" else str(tmp_path / "new.tar.gz")
    most = "20000" if act == "restore" else "700000"
    result = subprocess.run(
        [sys.executable, "-c", FULL, act, data, place, most], capture_output=True, text=True, check=False
    )
    assert result.returncode == 7, result.stderr
    assert re.search(r"cannot write .*: File too large|disk I/O error", result.stdout)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_too_little_room_is_said_before_anything_is_unpacked(
    stored: tuple[Settings, Path], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**6, 10**6, 1000))  # type: ignore[attr-defined]
    with pytest.raises(BackupError, match=r"0 MB free and the archive unpacks to \d+ MB"):
        restore(empty, stored[1], SPECS)
    assert not Path(empty.root).exists()


def test_a_bucket_is_refused_with_what_to_use_there(tmp_path: Path) -> None:
    bucket = load({}, data_dir="s3://bucket/data")
    for attempt in (lambda: backup(bucket, tmp_path / "x", SPECS), lambda: restoring.require_local(bucket)):
        with pytest.raises(ConfigurationError, match="versioning"):
            attempt()
    with pytest.raises(ConfigurationError, match="btc migrate --from hopsworks"):
        backup(load({}, store="hopsworks"), tmp_path / "x", SPECS)


def test_there_must_be_something_to_back_up(empty: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there are no tables"):
        backup(empty, tmp_path / "x.tar.gz", SPECS)


def test_a_lost_file_of_an_old_version_is_named_and_one_of_the_newest_refused(
    stored: tuple[Settings, Path], tmp_path: Path
) -> None:
    settings, _ = stored
    shutil.copytree(Path(settings.root), tmp_path / "data" / "real")
    place = load({}, data_dir=str(tmp_path / "data"))
    tables = open_tables(place)
    newest = tables.read(RAW_KLINES, start=LAST)
    tables.delete_keys(RAW_KLINES, newest.select(RAW_KLINES.key))
    tables.upsert(RAW_KLINES, newest)
    folder = Path(place.root) / "tables" / "raw_klines"
    live = {uri.rpartition("/")[2] for uri in _live(folder)}
    old = next(path for path in folder.glob("*.parquet") if path.name not in live)
    old.unlink()
    manifest = backup(place, tmp_path / "x.tar.gz", SPECS)
    assert manifest.lost == [f"raw_klines/{old.name}"]
    (folder / next(iter(live))).unlink()
    with pytest.raises(BtcError, match=r"cannot be read|missing or damaged"):
        backup(place, tmp_path / "y.tar.gz", SPECS)


def _live(folder: Path) -> list[str]:
    from deltalake import DeltaTable

    return DeltaTable(str(folder)).file_uris()


def test_databases_are_copied_whole_while_they_are_written(tmp_path: Path) -> None:
    """A writer that commits pairs: every copy holds both rows of each pair or neither."""
    from btc_assets.backup.dagster_records import check_records, copy_records

    home = tmp_path / "home"
    home.mkdir()
    script = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE pairs (n INTEGER, text TEXT)")
db.commit()
print("ready", flush=True)
n = 0
while True:
    with db:
        db.executemany("INSERT INTO pairs VALUES (?, ?)", [(n, "x" * 500), (n, "y" * 500)])
    n += 1
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home / "runs.db")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            sizes = []
            for number in range(15):
                copy = tmp_path / f"copy{number}"
                assert copy_records(home, copy) == 1
                check_records(copy)
                database = sqlite3.connect(copy / "runs.db")
                alone = "SELECT count(*) FROM (SELECT n FROM pairs GROUP BY n HAVING count(*) <> 2)"
                assert database.execute(alone).fetchone() == (0,)
                sizes.append(database.execute("SELECT count(*) FROM pairs").fetchone()[0])
                database.close()
        finally:
            process.kill()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_a_backup_and_its_check_from_the_command_line(
    stored: tuple[Settings, Path], tmp_path: Path, btc: RunBtc
) -> None:
    settings, archive = stored
    out, data = str(tmp_path / "cli.tar.gz"), {"BTC_DATA_DIR": settings.data_dir}
    made = btc("backup", "--out", out, **data)
    assert made.returncode == 0, made.stderr
    assert "All is well: 4 records" in made.stdout
    assert read_manifest(Path(out)).head == read_manifest(archive).head
    checked = btc("restore", out, "--check", **data)
    assert (checked.returncode, "sound; BTCUSDT" in checked.stdout) == (0, True), checked.stderr
    refused = btc("restore", out, BTC_SOURCE="simulated")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    bucket = btc("backup", "--out", out, BTC_DATA_DIR="s3://bucket/data")
    assert bucket.returncode == 2
    assert "versioning" in bucket.stderr


def test_the_list_says_when_its_tables_were_pinned(stored: tuple[Settings, Path]) -> None:
    made = dt.datetime.fromisoformat(read_manifest(stored[1]).made_at)
    assert 0 <= time.time() - made.timestamp() < 3600
    assert read_manifest(stored[1]).tables[ENGINEERED_FEATURES.name] >= 1
