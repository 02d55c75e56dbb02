"""Ask a forecaster in a process of its own, with a deadline and a bound on memory.

It keeps mistakes apart, not malice: install only packages that you would run anyway. The process gets no
secret of the settings, and only the candles up to the origin.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Self

import numpy as np

from btc_assets.forecasters.discovery import Entrant
from btc_assets.forecasters.messages import printable, read_message, write_message, write_observed
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.forecasters.quantile_rules import broken_rules
from btc_assets.io.scratch import ScratchFolder

Outcome = Literal[
    "ok",
    "not_loaded",
    "too_early",
    "crashed",
    "timed_out",
    "out_of_memory",
    "nonsense",
    "looked_ahead",
    "unlike_issued",
]

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "COVERAGE_")
"""How the variables begin that the process inherits; none of them is a secret."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
"""Sums in another order give other bytes, and processes are run side by side anyway."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process that asks a forecaster.

    Attributes:
        load_seconds: for starting the process and importing the forecaster.
        seconds: for a forecast from one origin.
        memory_mb: of the process, its libraries included (MiB).
    """

    load_seconds: float = 120.0
    seconds: float = 60.0
    memory_mb: int = 2048


LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class ForecastResult:
    """What came of asking once: quantiles [90, 21] if the outcome is ``ok``, else why there are none."""

    outcome: Outcome
    reason: str = ""
    quantiles: Floats | None = None
    seconds: float = 0.0
    peak_mb: float = 0.0


class WorkerProcess:
    """One process with one forecaster. A context manager: nothing of it is left afterwards.

    Attributes:
        failure: why the forecaster could not be loaded, or None.
        name: what it calls itself, likewise ``version`` and ``needs``; of one that failed, what is known.
        alive: whether it can be asked (again).
    """

    def __init__(
        self, entrant: Entrant, limits: Limits = LIMITS, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.version, self.needs = entrant.name or entrant.target, "", Needs()
        self.failure: ForecastResult | None = None
        self._limits, self._expired, self._gone = limits, False, False
        self._folder = ScratchFolder("btc-forecaster")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        self._process: subprocess.Popen[bytes] | None = None
        if entrant.problem:
            self.failure = ForecastResult("not_loaded", entrant.problem)
        else:
            self._start(entrant, environment or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        if self._process is not None:
            self._process.wait()
            for pipe in self._pipes():
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._log.close()
        self._folder.remove()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.failure is None and not self._gone

    def ask(self, observed: Observed) -> ForecastResult:
        """Ask for one forecast, and judge it by the rules of its numbers."""
        if self.failure is not None:
            return self.failure
        self._send(lambda pipe: write_observed(pipe, observed))
        said, parts = self._receive(self._limits.seconds)
        seconds, peak = float(said.get("seconds", 0.0)), float(said.get("peak_mb", 0.0))
        if said["outcome"] != "ok":
            return ForecastResult(said["outcome"], said["reason"], None, seconds, peak)
        values = np.frombuffer(parts[0], np.float64).reshape(said["shape"])
        broken = broken_rules(values)
        outcome: Outcome = "nonsense" if broken else "ok"
        return ForecastResult(outcome, next(iter(broken.values()), ""), values, seconds, peak)

    def _start(self, entrant: Entrant, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "btc_assets.forecasters.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._folder.path,
            env=_environment() | dict(environment),
            start_new_session=True,
        )
        first = {"target": entrant.target, "name": entrant.name, "memory_mb": self._limits.memory_mb}
        self._send(lambda pipe: write_message(pipe, first))
        said, _ = self._receive(self._limits.load_seconds)
        if said["outcome"] != "loaded":
            self.failure = ForecastResult("not_loaded", said["reason"])
            return
        given = said["needs"]
        self.name, self.version = str(said["name"]), str(said["version"])
        self.needs = Needs(given["days"], given["fewest"], tuple(given["series"]), given["every"])

    def _send(self, write: Callable[[BinaryIO], None]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it ended; ``_receive`` says why
            write(self._pipes()[0])

    def _receive(self, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
        """Wait for an answer; a process that gives none in ``seconds``, or ends, is gone afterwards."""
        timer = threading.Timer(seconds, self._expire)
        timer.start()
        try:
            return read_message(self._pipes()[1])
        except ValueError:
            return self._why_silent(seconds), []
        finally:
            timer.cancel()

    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        """Return the pipe to the process and the one from it."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None  # noqa: PT018
        return process.stdin, process.stdout  # type: ignore[return-value]

    def _expire(self) -> None:
        self._expired = True
        self._kill()

    def _why_silent(self, seconds: float) -> dict[str, Any]:
        """End the process, and say why there is no answer."""
        assert self._process is not None
        self._kill()
        code = self._process.wait()
        if self._expired:
            return {"outcome": "timed_out", "reason": f"no answer within {seconds:g} s", "seconds": seconds}
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        lines = self._log.read().decode(errors="replace").split("\n")
        said = next((text.strip()[:300] for text in reversed(lines) if text.strip()), "it said nothing")
        line = printable(said)
        outcome = "out_of_memory" if "memory" in line.lower() else "crashed"
        return {"outcome": outcome, "reason": f"its process ended with {ended}: {line}"}

    def _kill(self) -> None:
        """End the process and all that it started, once: its number may be another's later."""
        if self._process is not None and not self._gone:
            self._gone = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    path = os.pathsep.join(part for part in sys.path if part)
    return inherited | ONE_THREAD | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
