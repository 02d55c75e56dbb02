"""What is wrong with a disk, in one sentence with what to do: full, read-only, forbidden or failing."""

from __future__ import annotations

import errno
import tempfile
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
"""By number of an error, what to do."""

PROBE = 64 * 1024
"""Bytes that are written on trial."""


def explain(error: BaseException) -> str | None:
    """Return one sentence if ``error`` came from a disk that is full, read-only or failing; else None."""
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        if isinstance(each, OSError) and each.errno in REMEDIES:
            where = each.filename or "a file"
            return f"{where} cannot be written ({each.strerror}); {REMEDIES[each.errno]}"
        seen.append(each)
        each = each.__cause__ or each.__context__
    return None


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
