"""The entries of a Delta log: their names, and what each says about the files that the table then has.

Every commit of this store says in its own entry which files the table then has, as one hash. A log that
lost or gained an entry, or whose entries were altered, no longer agrees with it and is not believed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from deltalake import CommitProperties

from btc_assets.storage.delta.vacuum import TORN

log = logging.getLogger(__name__)

FILES_HASH = "btcFiles"
"""Under which name each entry carries the hash of the names of all files after it."""

ENTRY = "_delta_log/{:020}.json"


def move_aside(entry: Path) -> None:
    """Take ``entry``, a JSON file of a log on disk, out of the log and keep it for a person to look at."""
    shelf = entry.parent.parent / TORN
    shelf.mkdir(exist_ok=True)
    entry.rename(shelf / f"{entry.name}.{time.time_ns()}")
    log.error("moved the torn %s to %s; materialise the partition that wrote it again", entry, shelf)


def commit_info(name: str, content: bytes) -> dict[str, Any]:
    """Return what the entry ``name`` of a log says about the commit it is."""
    for line in content.splitlines():
        if info := json.loads(line).get("commitInfo"):
            return dict(info)
    raise ValueError(f"{name} says nothing about its commit")


def vouching_for(names: Collection[str]) -> CommitProperties:
    """Return what a commit says after which the table has the files ``names``."""
    # No retries inside: a commit stands on the very version that was read, or does not happen.
    return CommitProperties({FILES_HASH: names_digest(names)}, max_commit_retries=0)


def names_digest(names: Collection[str]) -> str:
    """Return the hash of the names of files, in whatever order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
