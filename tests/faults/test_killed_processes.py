"""kill -9 of `btc up` and of each process that it started, at random moments: the next start heals."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from btc_up import Up, get

from btc_assets.supervision.descendants import VARIABLE

TRIALS = 30
LONGEST = 10.0
"""Seconds after its start in which a process may be killed: a start takes as long."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path)
    try:
        yield started
    finally:
        started.end()


def kind(process: psutil.Process) -> str:
    """Which of the processes it is: the module or command that it runs."""
    words = process.cmdline()
    named = [word for word in words if word.startswith(("btc_", "dagster")) and "/" not in word]
    return " ".join(named[:2]) or "a worker"


def kill_one(up: Up, chance: random.Random) -> str:
    """Kill a process of the family, `btc up` itself every third time; in every sixth, its watchdog too."""
    family = up.family()
    leader = chance.random() < 1 / 3
    victim = family[0] if leader else chance.choice(family)
    what = kind(victim)
    if leader and chance.random() < 1 / 2:
        victim.suspend()
        for process in family:
            if "btc_assets.supervision.watchdog" in process.cmdline():
                process.kill()
        what += " and its watchdog"
    victim.kill()
    return what


def test_P1_P2_30_kills_at_random_moments_and_every_next_start_heals(
    up: Up, record_property: Callable[[str, object], None]
) -> None:
    up.wait_for("the first start", lambda: "Ready" in up.said())
    chance, killed = random.Random(1), []
    for trial in range(TRIALS):
        time.sleep(chance.uniform(0.5, LONGEST))
        killed.append(kill_one(up, chance))
        time.sleep(chance.uniform(0.0, 1.0))
        if up.process.poll() is None:
            up.process.terminate()  # what it does without the killed process is not the question here
        up.process.wait(90)
        up.start()
        if trial % 6 == 5:
            up.wait_for(f"the start after {killed[-1]}", lambda: "Ready" in up.said())
            assert {p.environ()[VARIABLE] for p in up.family()[1:]} == {
                f"{up.family()[1].environ()[VARIABLE]}"
            }, "only processes of the newest start"
    record_property("trials", len(killed))
    print(killed)
    up.wait_for("the last start", lambda: "Ready" in up.said())
    up.wait_for("Dagster", lambda: get(f"http://127.0.0.1:{up.dagster}/server_info")[0] == 200)
    assert get(f"http://127.0.0.1:{up.web}/api/v1/forecast?days=14")[0] == 200
    assert up.stop() == []
    assert up.family() == []
