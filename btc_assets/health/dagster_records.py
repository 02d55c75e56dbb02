"""Examines Dagster's own records on this machine: SQLite databases, damaged or not to be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from btc_assets.errors import StorageError
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.io import sqlite
from btc_assets.io.disk import write_fault

LOST = {
    "index.db": "what was materialised is made again from the tables",
    "runs.db": "the list of runs begins anew",
    "schedules.db": "schedules and sensors begin anew",
}
"""The databases without which Dagster does not start, and what becomes of each that is put aside."""

WAIT = 3.0
"""Seconds that a writer may hold a database before it counts as locked."""

REMEDY = "`btc up` puts it aside and makes it again: stop what runs, and start it (`btc up --once` does, too)"


def databases(home: Path) -> list[Path]:
    """Return the databases below ``home``: three of the whole instance, and a log of each run."""
    return sorted(path for path in home.rglob("*.db") if path.is_file())


def damaged(home: Path) -> dict[Path, str]:
    """Return the databases below ``home`` that cannot be read, and what SQLite says of each.

    Of a log of a run only the head is looked at; there may be hundreds.

    Raises:
        StorageError: one cannot be looked at: it is locked, or the disk is full, read-only or failing.
    """
    found = {}
    with explaining(home):
        for path in databases(home):
            said = sqlite.damage(path) if path.name in LOST else _damage_of_head(path)
            if said is not None:
                found[path] = said
    return found


def require_usable(home: Path) -> None:
    """Check that Dagster can write to its records below ``home``; damage is not looked for.

    Raises:
        StorageError: they are locked, or the disk is full, read-only or failing.
    """
    if said := write_fault(home):
        raise StorageError(said)
    with explaining(home):
        for path in databases(home):
            if path.name in LOST:
                sqlite.require_writable(path, WAIT)


@contextmanager
def explaining(home: Path) -> Iterator[None]:
    """Say in one sentence why Dagster's records below ``home`` cannot be used.

    Raises:
        StorageError: in the place of any error that SQLite is the cause of.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        cause = sqlite.cause_of(error)
        if cause is None:
            raise
        raise StorageError(_sentence(cause, home)) from error


def examine_records(site: Surroundings) -> list[Finding]:
    """Examine Dagster's records: finding ``dagster_records``."""
    home = Path(site.settings.dagster_home)
    found = [path for path in databases(home) if path.name in LOST]
    if not found:
        return [Finding("dagster_records", State.OK, f"none in {home}")]
    try:
        broken = "; ".join(f"{path} is damaged: {said}" for path, said in damaged(home).items())
        if broken:
            return [Finding("dagster_records", State.BROKEN, f"{broken}; {REMEDY}")]
        require_usable(home)
    except StorageError as error:
        return [Finding("dagster_records", State.BROKEN, str(error))]
    size = sum(path.stat().st_size for path in found)
    return [Finding("dagster_records", State.OK, f"sound and not locked, {size / 1e6:,.1f} MB in {home}")]


def _damage_of_head(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(len(sqlite.MAGIC))
    except FileNotFoundError:
        return None
    return None if head in (b"", sqlite.MAGIC) else "file is not a database"


def _sentence(error: sqlite3.Error, home: Path) -> str:
    if sqlite.is_damage(error):
        return f"Dagster's records in {home} are damaged ({error}); {REMEDY}"
    return f"Dagster's records in {home} cannot be used: {sqlite.explain(error, databases(home))}"
