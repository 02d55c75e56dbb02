"""Copy the state of a store at one instant into a folder, while others write to it.

Nothing is locked. Tables are versioned and their files never change, so it is enough to pin one version of
each table such that all were current at the same instant, and then to take the files of those versions.
Models are published whole and never change. What is copied in which order matters for one thing: Dagster's
records go first, so that they never claim a day that the copied tables lack; days that they lack are asked
for again, which changes nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from btc_assets.contracts import FORECASTS, TableSpec
from btc_assets.errors import BackupError, CorruptData, StorageError, TableMissing
from btc_assets.io.files import file_sha256
from btc_assets.io.scratch import remove_abandoned
from btc_assets.ledger.verification.verify import verify
from btc_assets.storage.delta.data_files import DataFile
from btc_assets.storage.delta.log_entries import ENTRY
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import is_name

SNAPSHOT_TIMEOUT = 30.0
"""Seconds to wait for an instant at which no forecast is half issued."""

NEWEST = 5
"""Records of the ledger that must have their rows at that instant; older ones are checked in the copy."""

Versions = Mapping[TableSpec, int]


@dataclass(frozen=True)
class Pinned:
    """A table store that stands still: each table at its pinned version. For reading only."""

    tables: DeltaTables
    versions: Versions

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the table was there."""
        return spec in self.versions

    def version(self, spec: TableSpec) -> int:
        """Return its pinned version."""
        return self.versions[spec]

    def read(
        self,
        spec: TableSpec,
        columns: Sequence[str] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
    ) -> pl.DataFrame:
        """Return rows as they were."""
        if spec not in self.versions:
            raise TableMissing(f"table {spec.name} was not there when the versions were pinned")
        return self.tables.read(spec, columns, start, end, version=self.versions[spec])


def pin(tables: DeltaTables, registry: FolderRegistry, specs: Iterable[TableSpec], symbol: str) -> Versions:
    """Find versions that were all current at one instant, at which every newest record had its forecast.

    A record is written before its rows, so an instant in between is waited out. If a writer died there,
    or something is wrong, waiting does not help, and the check of the copy will say what it is.
    """
    specs = list(specs)
    deadline = time.monotonic() + SNAPSHOT_TIMEOUT
    while True:
        before, now = _versions(tables, specs), _versions(tables, specs)
        late = time.monotonic() > deadline
        if before == now:
            still = Pinned(tables, now)
            report = verify(still, registry, symbol, newest=NEWEST)
            begun = FORECASTS in now  # the first record is there before the table of its rows is
            if late or not any(f.what == "rows" and (f.origin or not begun) for f in report.faults):
                return now
        elif late:
            raise BackupError(f"tables changed without a pause for {SNAPSHOT_TIMEOUT:.0f} s; try again later")
        time.sleep(0.1)


def _versions(tables: DeltaTables, specs: Iterable[TableSpec]) -> Versions:
    return {spec: tables.version(spec) for spec in specs if tables.exists(spec)}


@dataclass
class Taken:
    """What was put into a copy."""

    tables: dict[str, int] = field(default_factory=dict)
    """Version of each table."""
    models: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Files of older versions that are gone or damaged: time travel cannot go there, in the copy either."""


def copy_table(root: Path, spec: TableSpec, version: int, target: Path, taken: Taken) -> None:
    """Take the log of one table up to ``version``, and every file that it names.

    Raises:
        CorruptData: an entry of the log or a file of this version is missing or damaged.
    """
    source, copy = root / "tables" / spec.name, target / "tables" / spec.name
    (copy / "_delta_log").mkdir(parents=True)
    live: set[str] = set()
    named: set[str] = set()
    for number in range(version + 1):
        entry = ENTRY.format(number)
        try:
            content = (source / entry).read_bytes()
        except OSError as error:
            raise CorruptData(f"{source / entry} cannot be read ({error.strerror})") from error
        (copy / entry).write_bytes(content)
        added, removed = _files(content)
        named |= added
        live = (live | added) - removed
    for name in sorted(named):
        file = DataFile.parse(name)
        if _is_sound(source, file):
            link(source / name, copy / name)
        elif name in live:
            raise CorruptData(f"{source / name} is missing or damaged; see docs/storage.md for a remedy")
        else:
            taken.lost.append(f"{spec.name}/{name}")
    taken.tables[spec.name] = version


def _files(entry: bytes) -> tuple[set[str], set[str]]:
    """Return the names of the files that an entry of the log adds and removes."""
    actions = [json.loads(line) for line in entry.splitlines()]
    return (
        {action["add"]["path"] for action in actions if "add" in action},
        {action["remove"]["path"] for action in actions if "remove" in action},
    )


def _is_sound(folder: Path, file: DataFile) -> bool:
    try:
        return file_sha256(folder / file.name) == file.sha256
    except OSError:
        return False


def copy_models(root: Path, target: Path, taken: Taken) -> None:
    """Take every published vintage, verified by its manifest.

    Raises:
        BadModel: a file of a vintage is missing or altered.
    """
    registry = FolderRegistry(root)
    for name in sorted(path.name for path in registry.root.glob("*") if path.is_dir() and is_name(path.name)):
        for ref in registry.versions(name):
            folder = registry.model_folder(ref)
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    link(path, target / "models" / name / str(ref.vintage) / path.relative_to(folder))
            taken.models.append(f"{name} {ref.vintage}")


def link(source: Path, target: Path) -> None:
    """Put a file that never changes at ``target``: by a link where that goes, by a copy elsewhere."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with writing(target):
            shutil.copyfile(source, target)


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Make a hidden folder on the disk of ``target``; it is gone afterwards unless it was moved.

    While it is in use a lock is held on it: what a killed process left is removed by the next.
    """
    kind = f".{target.name}.draft"
    remove_abandoned(kind, target.parent)
    stage = target.with_name(f"{kind}-{secrets.token_hex(4)}")
    with writing(stage):
        stage.mkdir(parents=True)
    held = os.open(stage, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_EX)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(held)


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn a full or read-only disk into one sentence.

    Raises:
        StorageError: it could not be written.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}") from error
