"""How far a long piece of work has come, for whoever watches: the terminal and the web page.

The worker writes a small file beside the tables; readers poll it. A reader never sees half a file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

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
    """Publish where the work under ``root`` stands; does nothing where ``root`` is not a folder.

    A courtesy to whoever watches: a disk that is full fails the work where it writes what counts, not here.
    """
    path = _path(root)
    if path is None:
        return
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(Progress(stage, round(fraction, 4), detail, now))))
        temporary.replace(path)


def done(root: str) -> None:
    """Say that nothing is being worked on; drafts of workers that were killed go too."""
    path = _path(root)
    if path is not None:
        for old in (path, *path.parent.glob("progress.*.tmp")):
            with contextlib.suppress(OSError):
                old.unlink(missing_ok=True)


def read(root: str) -> Progress | None:
    """Where the work under ``root`` stands, or None when there is none (or its worker died)."""
    path = _path(root)
    if path is None:
        return None
    try:
        progress = Progress(**json.loads(path.read_text()))
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(progress.updated_at)
    except (OSError, ValueError, TypeError):
        return None
    return progress if age < STALE_AFTER else None
