"""Removing what writers that were killed left in a table's folder: files that no version ever named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from btc_assets.io.files import last_change
from btc_assets.storage.delta.data_files import names_in

TORN = "_torn_log_entries"
"""The folder in a table's where torn entries of its log are kept; what they name stays."""

ORPHANED = dt.timedelta(days=1)
"""Age from which a file that was never committed cannot belong to a writer still at work."""


def vacuum(folder: Path, now: dt.datetime | None = None, *, data_files: bool = True) -> list[Path]:
    """Delete orphans in the table at ``folder``; return them. Files of old versions are never touched.

    Without ``data_files`` only what was not written to its end, which nothing can ever name.
    """
    cutoff = ((now or dt.datetime.now(dt.UTC)) - ORPHANED).timestamp()
    candidates = [*_unfinished(folder), *(folder.glob("*.parquet") if data_files else ())]
    old = [path for path in candidates if last_change(path) < cutoff]
    if not old:
        return []
    log = [*(folder / "_delta_log").glob("*.json"), *(folder / TORN).glob("*")]
    try:
        named = {name for entry in log for name in names_in(entry.read_text(errors="replace"))}
    except FileNotFoundError:  # an entry is being moved aside: the next time will do
        return []
    orphans = [path for path in old if path.name not in named]
    for path in orphans:
        path.unlink(missing_ok=True)
    return orphans


def _unfinished(folder: Path) -> Iterator[Path]:
    yield from folder.glob(".*.tmp")
    # delta-rs stages a log entry beside its place, as NAME#1 or _commit_ID.json.tmp.
    yield from (folder / "_delta_log").glob("*#*")
    yield from (folder / "_delta_log").glob("*.tmp")
