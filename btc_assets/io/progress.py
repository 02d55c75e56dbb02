"""The progress of long work, for the terminal and the web page.

The worker writes a small file beside the tables; readers poll it. A reader never sees half a file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from btc_assets.io.files import write_atomically

STALE_AFTER = dt.timedelta(minutes=10)
"""A file that nobody has touched for so long was left by a worker that died."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of the work: ``stage`` in words, ``fraction`` done (0 to 1), ``detail`` for the curious."""

    stage: str
    fraction: float
    detail: str = ""
    updated_at: str = ""


def _path(root: str) -> Path | None:
    return None if "://" in root else Path(root) / "progress.json"


def report(root: str, stage: str, fraction: float, detail: str = "") -> None:
    """Write the progress of the work under ``root``; do nothing where ``root`` is not a folder.

    A courtesy to whoever watches: a disk that is full fails the work where it writes what counts, not here.
    """
    path = _path(root)
    if path is None:
        return
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(Progress(stage, round(fraction, 4), detail, now))).encode()
        write_atomically(path, content, durable=False)


def done(root: str) -> None:
    """Remove the progress, and the drafts of workers that were killed."""
    path = _path(root)
    if path is not None:
        for old in (path, *path.parent.glob("*progress.*.tmp")):
            with contextlib.suppress(OSError):
                old.unlink(missing_ok=True)


def read(root: str) -> Progress | None:
    """Read the progress of the work under ``root``; None if there is none or its worker died."""
    path = _path(root)
    if path is None:
        return None
    try:
        progress = Progress(**json.loads(path.read_text()))
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(progress.updated_at)
    except (OSError, ValueError, TypeError):
        return None
    return progress if age < STALE_AFTER else None
