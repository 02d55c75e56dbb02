"""A year of simulated days through the real daily job, for tests/faults/test_soak.py."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import exchange as faults
import pytest
import soak_process
from exchange import Exchange

from btc_assets.market.calendar import DAY, opens_at
from btc_assets.settings import Settings

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["soak_process"])
PATHS = (Path(__file__).parent, Path(__file__).parents[2])
ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Europe/London", "Australia/Lord_Howe")
"""Time zones of the hosts, one a process; those with a change of the clocks in the year included."""

TICKS = (dt.time(0, 30), dt.time(1, 0), dt.time(2, 0), dt.time(5, 0), dt.time(12, 0), dt.time(20, 0))
"""When the sensor looks again on a day on which something failed."""

FOREVER = 10_000
SOURCE_FAULTS: dict[str, tuple[Callable[[Any], None], int]] = {
    "503 twice": (faults.status(503), 2),
    "503 until later": (faults.status(503), FOREVER),
    "an error page": (faults.html(200), FOREVER),
    "a truncated body": (faults.truncated, 2),
    "a dropped connection": (faults.reset, FOREVER),
    "no answer": (faults.hang, FOREVER),
    "an empty list": (faults.status(200, []), FOREVER),
    "a limit": (faults.status(429, headers={"Retry-After": "600"}), 1),
    "a ban": (faults.status(418, headers={"Retry-After": "1200"}), 1),
}


class ProcessDied(Exception):
    """The operator's process ended before its step was done."""


@dataclass
class Operator:
    """The process that runs the days; started again whenever it has died."""

    exchange: Exchange
    environment: dict[str, str]
    log: Path
    process: ForkServerProcess | None = None
    starts: int = 0
    took: Counter[str] = field(default_factory=Counter)
    """Seconds by kind of step."""

    def step(self, at: dt.datetime, do: str, kill_after: float | None = None, **more: Any) -> dict[str, Any]:
        """Let it do one step at the time ``at``, and kill it ``kill_after`` seconds after that has begun."""
        self.exchange.clock = at
        began = time.monotonic()
        process = self.process or self._start(at)
        self.took["starting"] += time.monotonic() - began
        began = time.monotonic()
        killer = threading.Timer(kill_after, process.kill) if kill_after is not None else None
        if killer:
            killer.start()
        try:
            self._pipe.send({"at": at, "do": do, **more})
            reply: dict[str, Any] = self._pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise ProcessDied from None
        finally:
            self.took[do] += time.monotonic() - began
            if killer:
                killer.cancel()
                killer.join()
                self.stop()
        return reply

    def stop(self) -> None:
        """End the process, at once."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self._pipe.close()
            self.process = None

    def _start(self, at: dt.datetime) -> ForkServerProcess:
        zone = ZONES[self.starts % len(ZONES)]
        self.starts += 1
        # Python 3.11's fork server preloads only what its own search path has.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join(map(str, PATHS)))
            forkserver.ensure_running()
        self._pipe, theirs = FORKS.Pipe()
        arguments = (theirs, self.environment | {"TZ": zone}, self.log, at)
        self.process = FORKS.Process(target=soak_process.serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        assert self._pipe.recv() == "ready"
        return self.process


@dataclass
class Year:
    """The days from ``first`` on, ``count`` of them, on the data folder of ``settings``."""

    operator: Operator
    settings: Settings
    first: dt.date
    count: int
    seed: int = 1
    happened: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=lambda: [2.0])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.restated = {self.first + n * DAY for n in range(20, self.count, 90)}

    @property
    def faults(self) -> int:
        """How many faults there were: kills, full disks, faults of the source, absences."""
        effects = ("runs that failed", "died of a full disk")
        return sum(count for what, count in self.happened.items() if what not in effects)

    @property
    def exchange(self) -> Exchange:
        return self.operator.exchange

    def undisturbed(self) -> None:
        """All days, in ranges between two restatements."""
        starts = sorted({self.first, *self.restated, self.first + self.count * DAY})
        for start, end in pairwise(starts):
            self._restate(start)
            reply = self.operator.step(at(end, dt.time(0, 5)), "range", start=start, end=end)
            assert reply["failed"] == []
        self.operator.stop()

    def disturbed(self) -> None:
        """Day by day, with whatever chance brings; a new process a week if nothing kills it before."""
        day, end = self.first, self.first + self.count * DAY
        while day < end:
            if self.chance.random() < 0.04:
                back = min(self._next_calm(day, self.chance.randint(1, 3)), end - DAY)
                self.happened["days the host was down"] += (back - day).days
                day = back
                self.operator.stop()
            self._restate(day)
            self._one_day(day)
            day += DAY
            if self.chance.random() < 1 / 7:
                self.operator.stop()
        self.operator.stop()

    def _next_calm(self, day: dt.date, days: int) -> dt.date:
        """``days`` later, but not beyond a restatement: both runs must know the same by then."""
        later = day
        while later < day + days * DAY and later not in self.restated and later + DAY not in self.restated:
            later += DAY
        return later

    def _one_day(self, day: dt.date) -> None:
        """From 00:05 after ``day`` on until nothing is missing; nobody helps."""
        disturbances = [self._disturbance() if self.chance.random() < 0.5 else {} for _ in range(2)]
        for tick, time_of_day in enumerate((dt.time(0, 5), *TICKS)):
            faulty = disturbances[tick] if tick < len(disturbances) and day + DAY not in self.restated else {}
            self.exchange.behave()
            if "source" in faulty:
                self.exchange.spoil(*SOURCE_FAULTS[faulty["source"]])
            reply = self._step(at(day + DAY, time_of_day), "tick" if tick else "schedule", faulty)
            if reply and not reply["missing"] and tick:
                break
        else:
            raise AssertionError(f"{day} was not caught up with by {TICKS[-1]}; see {self.operator.log}")
        self._date_files(at(day + DAY, time_of_day))

    def _disturbance(self) -> dict[str, Any]:
        kind = self.chance.choices(["kill", "source", "disk"], [5, 4, 2])[0]
        if kind == "kill":
            usual = sorted(self.seconds)[len(self.seconds) // 2]
            return {"kill_after": self.chance.uniform(0, 1.1 * min(usual, 20))}
        if kind == "disk":
            return {"room": int(2 ** self.chance.uniform(8, 20))}
        return {"source": self.chance.choice(sorted(SOURCE_FAULTS))}

    def _step(self, moment: dt.datetime, do: str, faulty: dict[str, Any]) -> dict[str, Any] | None:
        more = {name: value for name, value in faulty.items() if name != "source"}
        if "source" in faulty:
            self.happened[f"source: {faulty['source']}"] += 1
        if "room" in faulty:
            self.happened["disk full"] += 1
        began = time.monotonic()
        try:
            reply = self.operator.step(moment, do, **more)
        except ProcessDied:
            self.happened["killed while at work" if "kill_after" in faulty else "died of a full disk"] += 1
            assert {"kill_after", "room"} & set(faulty), self.operator.log.read_text()[-3000:]
            return None
        if do == "schedule" and not faulty:
            self.seconds.append(time.monotonic() - began)
        if reply["failed"]:
            self.happened["runs that failed"] += len(reply["failed"])
        if "kill_after" in faulty:
            self.happened["killed after work"] += 1
        return reply

    def _restate(self, day: dt.date) -> None:
        if day in self.restated:
            candle = self.exchange.rows[day - 3 * DAY]
            volume, quote = float(candle[5]) * 1.01, float(candle[7]) * 1.01
            self.exchange.restate(day - 3 * DAY, volume=repr(volume), quote_volume=repr(quote))
            noon = opens_at(day - 3 * DAY) + dt.timedelta(hours=12)
            self.exchange.restate_bar(noon, high=repr(float(self.exchange.bars[noon][2]) * 1.01))

    def _date_files(self, now: dt.datetime) -> None:
        """Files bear the machine's time; give new ones the time that it is in the year."""
        scratch = Path(self.operator.environment["TMPDIR"])
        for path in (*Path(self.settings.data_dir).rglob("*"), *scratch.iterdir()):
            try:
                if path.lstat().st_mtime > now.timestamp() + 86_400:
                    os.utime(path, (now.timestamp(), now.timestamp()))
            except OSError:
                continue


def at(day: dt.date, time_of_day: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, time_of_day, dt.UTC)
