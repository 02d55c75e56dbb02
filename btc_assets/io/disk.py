"""What is wrong with a disk or with this process's share of the machine, in one sentence with what to do."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

ELSEWHERE = "choose another folder (BTC_DATA_DIR, DAGSTER_HOME, BTC_CACHE_DIR)"
REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or have the quota raised",
    errno.EROFS: f"remount it for writing, or {ELSEWHERE}",
    errno.EACCES: f"let this user write there, or {ELSEWHERE}",
    errno.EPERM: f"let this user write there, or {ELSEWHERE}",
    errno.EIO: "the disk fails: look at the system's log, and copy what can still be read",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
}
"""By number of an error in writing, what to do."""
LIMITS = {
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the machine's limit on open files",
    errno.ENOMEM: "free memory, or raise the limit on it (ulimit -v)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a file is in the place of a folder: remove it, or choose another folder",
    errno.ELOOP: "a link leads back to itself: correct it",
}
"""By number of an error in whatever is done with a file, what to do."""
_IN_TEXT = re.compile(r"os error ([0-9]+)|Os \{ code: ([0-9]+)")
"""How libraries written in Rust say the number of an error, which they raise as one of their own."""

PROBE = 64 * 1024
"""Bytes that are written on trial."""


def explain(error: BaseException) -> str | None:
    """Return one sentence if ``error`` came from a disk or from a limit of this process; else None."""
    for each in causes(error):
        number, where = _number(each), getattr(each, "filename", None) or "a file"
        if number in REMEDIES:
            return f"{where} cannot be written ({os.strerror(number)}); {REMEDIES[number]}"
        if number in LIMITS:
            return f"{where} cannot be used ({os.strerror(number)}); {LIMITS[number]}"
        if number == errno.ENOENT and _is_adrift():
            return "the working folder is gone; change into one that there is"
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what it came from, through whatever wrapped it, each once."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in seen:
            seen.append(each)
            yield each
            waiting += [each.__context__, each.__cause__, getattr(each, "orig", None)]


def _is_adrift() -> bool:
    """Return whether the working folder is gone."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _number(error: BaseException) -> int:
    """Return the system's number of ``error``; 0 if it has none."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno:
        return error.errno
    said = _IN_TEXT.search(str(error))
    return int(said[1] or said[2]) if said else 0


def write_fault(folder: Path) -> str | None:
    """Write a little below ``folder`` on trial; return why that fails and what to do, None if it does not."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".room-") as file:
            file.write(bytes(PROBE))
            file.flush()
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "see that it can be written")
        return f"{folder} cannot be written ({error.strerror}); {remedy}"
    return None
