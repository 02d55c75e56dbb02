"""Whatever a test run starts ends with it, however the run ends: tests that fail, a timeout, kill -9.

A pytest plugin, which `tests/conftest.py` uses. What the run starts inherits a variable; a process beside the
run waits for its end and kills what has the variable.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from btc_assets.supervision.process_identity import is_running, this_process

VARIABLE = "UNDER_TESTS"
SECOND = 1.0
_reaper: list[subprocess.Popen[bytes]] = []


def pytest_configure() -> None:
    """Mark what this run starts, and start who ends it; a worker of xdist is marked already."""
    if VARIABLE in os.environ:
        return
    owner = this_process()
    root = str(Path(__file__).parents[2])
    _reaper.append(
        subprocess.Popen(
            [sys.executable, __file__, owner],
            env=os.environ | {"PYTHONPATH": root},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    )
    os.environ[VARIABLE] = owner


def pytest_unconfigure() -> None:
    """End what is left, and wait until it is."""
    for reaper in _reaper:
        reaper.communicate()
    _reaper.clear()


def left_of(owner: str) -> Iterator[psutil.Process]:
    """The processes that the run ``owner`` started, and theirs."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(VARIABLE) == owner and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def main(owner: str) -> None:
    """Wait until the run is over, then kill what it left."""
    # A process that it forked may hold the other end of the pipe, so its own end is looked for, too.
    while not select.select([sys.stdin], [], [], SECOND)[0] and is_running(owner):
        pass
    while found := list(left_of(owner)):
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=SECOND)


if __name__ == "__main__":
    main(sys.argv[1])
