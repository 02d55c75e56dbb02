"""However a program ends, nothing that it started outlives it, and nothing else is touched."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from btc_assets.supervision.descendants import end, mark, orphans
from btc_assets.supervision.processes import ManagedProcess

SUPPORT = Path(__file__).parents[1] / "support"
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{SUPPORT}:{ROOT}", "PYTHONUNBUFFERED": "1"}
SOON = 40.0
FAMILY = 4
"""The program, its watchdog, a stubborn process and the child of it."""


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that were started for ``folder``, by their command lines."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and str(folder) in (process.info["cmdline"] or []):
            found.append(process)
    return found


def wait_until(true: Callable[[], bool], seconds: float = SOON) -> None:
    end_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end_at
        time.sleep(0.05)


def start(folder: Path, **more: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "supervised", str(folder)]
    process = subprocess.Popen(command, env=ENVIRONMENT, **more)  # type: ignore[call-overload]
    wait_until(lambda: len(processes_in(folder)) == FAMILY)
    return process  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for process in processes_in(tmp_path):
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_P1_a_signal_ends_all_that_was_started(folder: Path, number: signal.Signals) -> None:
    process = start(folder)
    process.send_signal(number)
    assert process.wait(SOON) == 0
    assert processes_in(folder) == []


def test_P1_a_killed_program_takes_all_that_it_started_along(folder: Path) -> None:
    process = start(folder)
    process.kill()
    process.wait()
    wait_until(lambda: processes_in(folder) == [])


def test_P1_a_closed_terminal_takes_all_that_was_started_along(folder: Path) -> None:
    ours, theirs = pty.openpty()
    terminal = [sys.executable, "-c", "import os, sys; os.setsid(); import fcntl, termios; "
                "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])",
                sys.executable, "-m", "supervised", str(folder)]  # fmt: skip
    process = subprocess.Popen(terminal, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    wait_until(lambda: len(processes_in(folder)) == FAMILY)
    os.close(ours)
    assert process.wait(SOON) == 0
    assert processes_in(folder) == []


def test_P1_a_background_job_that_inherits_an_ignored_interrupt_can_be_interrupted(folder: Path) -> None:
    process = start(folder, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == 0
    assert processes_in(folder) == []


def test_P1_what_nohup_started_outlives_its_terminal(folder: Path) -> None:
    process = start(folder, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    assert len(processes_in(folder)) == FAMILY
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON) == 0


def test_P1_a_killed_watchdog_is_replaced(folder: Path) -> None:
    process = start(folder)
    (watchdog,) = [p for p in processes_in(folder) if "btc_assets.supervision.watchdog" in p.cmdline()]
    watchdog.kill()
    wait_until(lambda: len(processes_in(folder)) == FAMILY and not watchdog.is_running())
    process.kill()
    process.wait()
    wait_until(lambda: processes_in(folder) == [])


def test_P2_the_next_start_ends_what_a_killed_program_and_its_watchdog_left(folder: Path) -> None:
    process = start(folder)
    process.send_signal(signal.SIGSTOP)  # it would start another watchdog
    (watchdog,) = [p for p in processes_in(folder) if "btc_assets.supervision.watchdog" in p.cmdline()]
    watchdog.kill()
    process.kill()
    process.wait()
    wait_until(lambda: len(processes_in(folder)) == FAMILY - 2)  # a kill takes a moment
    assert end(lambda: orphans(folder), grace=0.5) == FAMILY - 2
    assert processes_in(folder) == []


def test_P2_nothing_of_anybody_else_is_taken_for_an_orphan(folder: Path) -> None:
    """Not what has no owner's mark, what has a living one, or what worked on another folder."""
    other = folder / "other"
    other.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)", str(folder)]
    living = mark(folder)
    dead, foreign = ({name: f"x{value}" for name, value in mark(place).items()} for place in (folder, other))
    processes = [
        subprocess.Popen(sleep, env={**os.environ, **marked}) for marked in ({}, living, foreign, dead)
    ]
    try:
        wait_until(lambda: len(processes_in(folder)) == 4)
        assert [p.pid for p in orphans(folder)] == [processes[-1].pid]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_end_of_a_log_says_what_was_tried_again_once(tmp_path: Path) -> None:
    log = tmp_path / "catch_up.log"
    log.write_text("loading\n" + 20 * "refused; trying again in 0.5 s\n" + "btc: no answer\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as popen:
        tail = ManagedProcess("catching up", popen, log).log_tail()
    assert tail.splitlines() == ["loading", "refused; trying again in 0.5 s", "btc: no answer"]
