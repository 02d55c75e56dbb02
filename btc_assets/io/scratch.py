"""Folders that are needed for a while; what a killed process left of its own is removed by the next."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Self

SETTLED = 600.0
"""Seconds after which a folder that nobody holds was left behind, and is not just being made."""


class ScratchFolder:
    """A new folder in the system's folder for such things; a context manager that removes it.

    While it is in use its maker holds a lock on it, which the system drops when that process ends, however
    it ends.
    """

    def __init__(self, kind: str) -> None:
        remove_abandoned(kind)
        self.path = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        self._held = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove it and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def remove_abandoned(kind: str, place: Path | None = None) -> None:
    """Remove folders of ``kind`` whose makers are gone, in ``place`` or else among the system's.

    Those of other users stay.
    """
    for path in (place or Path(tempfile.gettempdir())).glob(f"{glob.escape(kind)}-*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < SETTLED:
                continue
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(held)
