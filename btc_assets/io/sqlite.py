"""What is wrong with an SQLite database, in words: damaged, locked by whom, on a full or read-only disk."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from btc_assets.io.disk import causes, write_fault

MAGIC = b"SQLite format 3\0"
"""How every database begins that is not empty."""

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
BESIDE = ("", "-wal", "-shm", "-journal")
"""Endings of the files of one database."""


def damage(path: Path) -> str | None:
    """Let SQLite examine the database at ``path``; return what is damaged, None if nothing is.

    Raises:
        sqlite3.Error: it cannot be read, for another reason; see `explain`.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if _code(error) in DAMAGED:
            return str(error)
        raise
    return None if said == "ok" else str(said).replace("\n", " ")


def require_writable(path: Path, seconds: float) -> None:
    """Ask for the right to write to the database at ``path``, and give it back.

    Raises:
        sqlite3.Error: it is not had within ``seconds``; see `explain`.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=seconds, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")


def cause_of(error: BaseException) -> sqlite3.Error | None:
    """Return the error of SQLite that ``error`` is or came from, through whatever wrapped it."""
    return next((each for each in causes(error) if isinstance(each, sqlite3.Error)), None)


def explain(error: sqlite3.Error, databases: Iterable[Path]) -> str:
    """Say what is wrong with one of ``databases``, and what to do about all but damage."""
    databases = list(databases)
    code = _code(error)
    if code in LOCKED:
        who = ", ".join(dict.fromkeys(holders(databases)))
        return f"locked by {who or 'another process'}; end it, or wait for it, and try again"
    for folder in {path.parent for path in databases}:
        if said := write_fault(folder):
            return said
    return f"{error}"


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether ``error`` says that a database is damaged, rather than locked or out of room."""
    return _code(error) in DAMAGED


def holders(databases: Iterable[Path]) -> Iterator[str]:
    """Name the processes that hold a lock for writing on one of ``databases``, where Linux lists them."""
    files = [Path(f"{path}{ending}") for path in databases for ending in BESIDE]
    inodes = {str(file.stat().st_ino) for file in files if file.exists()}
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()  # 1: POSIX ADVISORY WRITE <pid> <major>:<minor>:<inode> <start> <end>
            if len(fields) == 8 and fields[3] == "WRITE" and fields[5].rpartition(":")[2] in inodes:
                name = Path(f"/proc/{fields[4]}/comm").read_text().strip()
                yield f"process {fields[4]} ({name})"


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
