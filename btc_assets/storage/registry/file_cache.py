"""Folders with local copies of remote files, kept below a size by dropping what was used longest ago."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

LIMIT = 4 * 2**30
"""Bytes of local copies that are kept of tables, and again of models."""


def touch(path: Path) -> None:
    """Note that ``path`` was used, without changing its time of change."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def trim(entries: list[Path], limit: int = LIMIT) -> list[Path]:
    """Remove those of ``entries``, files or folders, that were used longest ago, down to ``limit`` bytes.

    Returns what was removed. The entry that was used last always stays.
    """
    used = sorted(((_last_use(entry), entry) for entry in entries), reverse=True)
    removed, total = [], 0
    for rank, (_, entry) in enumerate(used):
        files = entry.rglob("*") if entry.is_dir() else [entry]
        total += sum(map(_size, files))
        if total > limit and rank > 0:
            removed.append(entry)
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
    return removed


def _last_use(entry: Path) -> int:
    """Return when ``entry`` was used (ns); 0 if another process has removed it."""
    try:
        return max(entry.stat().st_atime_ns, entry.stat().st_mtime_ns)
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
