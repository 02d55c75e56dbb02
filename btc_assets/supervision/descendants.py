"""Find and end what a `btc up` started, also after it was killed: its descendants inherit a variable.

A process number alone says nothing once its owner is gone; the variable names the owner by what no other
process ever has, and the folder that it worked on. A process without it is never touched.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import psutil

from btc_assets.supervision.process_identity import is_running, this_process

VARIABLE = "UNDER_BTC_UP"
"""Environment variable of every descendant: ``<owner> <folder>``, see `mark`."""

GRACE = 10.0
"""Seconds that processes get to stop by themselves before they are killed."""

Find = Callable[[], list[psutil.Process]]


def mark(folder: Path) -> dict[str, str]:
    """Return the variable that descendants of this process get, which works on ``folder``."""
    return {VARIABLE: f"{this_process()} {_place(folder)}"}


def orphans(folder: Path) -> list[psutil.Process]:
    """Find the descendants of a `btc up` on ``folder`` that is no more."""
    place = _place(folder)
    return _marked(lambda owner, where: where == place and not is_running(owner))


def descendants() -> list[psutil.Process]:
    """Find the processes that this process started with `mark`, and theirs."""
    mine = this_process()
    return _marked(lambda owner, _: owner == mine)


def end(find: Find, grace: float = GRACE) -> int:
    """Ask what ``find`` finds to stop, kill what has not after ``grace`` seconds; return how many there were.

    Looks again until nothing is found, since a process may start another while it is asked.
    """
    ended: set[int] = set()
    while found := find():
        ended |= {process.pid for process in found}
        _signal(found, "terminate")
        _, left = psutil.wait_procs(found, timeout=grace)
        _signal(left, "kill")
        psutil.wait_procs(left, timeout=grace)
        grace = min(grace, 1.0)
    return len(ended)


def _place(folder: Path) -> str:
    stat = folder.stat()
    return f"{stat.st_dev}:{stat.st_ino}"


def _marked(wanted: Callable[[str, str], bool]) -> list[psutil.Process]:
    ours = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    return [p for p in psutil.process_iter() if p.pid not in ours and _is_marked(p, wanted)]


def _is_marked(process: psutil.Process, wanted: Callable[[str, str], bool]) -> bool:
    try:
        value = process.environ().get(VARIABLE, "")
        owner, _, place = value.partition(" ")
        return bool(place) and process.status() != psutil.STATUS_ZOMBIE and wanted(owner, place)
    except (psutil.Error, OSError, ValueError):
        return False  # gone, or somebody else's


def _signal(processes: list[psutil.Process], how: str) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            getattr(process, how)()  # psutil signals no later process of the same number
