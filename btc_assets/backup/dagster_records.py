"""Dagster's own records on one machine: SQLite databases that are copied while they are written to."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from btc_assets.backup.snapshot import writing
from btc_assets.defs.instance import INITIALISED
from btc_assets.errors import BackupError, CorruptData
from btc_assets.health.dagster_records import REMEDY
from btc_assets.io import sqlite

WAIT = 30.0
"""Seconds to wait for a writer that holds a database."""


def copy_records(home: Path, target: Path) -> int:
    """Copy every database below ``home``, and Dagster's settings; returns how many databases there were.

    Each database is copied by SQLite's online backup, so it is whole whatever is written meanwhile. Output of
    runs (compute logs) is left out.
    """
    count = 0
    for source in sorted(home.rglob("*.db")):
        copy = target / source.relative_to(home)
        copy.parent.mkdir(parents=True, exist_ok=True)
        count += _copy(source, copy)
    for name in ("dagster.yaml", INITIALISED):
        if (home / name).is_file():
            target.mkdir(parents=True, exist_ok=True)
            with writing(target / name):
                shutil.copyfile(home / name, target / name)
    return count


def _copy(source: Path, copy: Path) -> bool:
    try:
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT)
        written = sqlite3.connect(copy)
        try:
            reading.backup(written)
            # One file that needs no log beside it.
            written.execute("PRAGMA journal_mode=DELETE")
        finally:
            written.close()
            reading.close()
    except sqlite3.Error as error:
        if not source.exists():
            copy.unlink(missing_ok=True)
            return False
        if sqlite.is_damage(error):
            raise BackupError(f"{source} is damaged ({error}); {REMEDY}") from error
        said = sqlite.explain(error, [copy, source])
        raise BackupError(f"{source} cannot be copied to {copy}: {said}") from error
    return True


def check_records(folder: Path) -> None:
    """Let SQLite examine every database in ``folder``; CorruptData names one that is damaged."""
    for path in sorted(folder.rglob("*.db")):
        try:
            said = sqlite.damage(path)
        except sqlite3.Error as error:
            said = str(error)
        if said is not None:
            raise CorruptData(f"{path} is damaged: {said}")
