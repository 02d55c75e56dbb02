"""The process that asks one forecaster: ``python -m btc_assets.forecasters.worker``, see ``worker_process``.

It answers each message of its parent with one, see ``messages``.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
import traceback
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from btc_assets.forecasters.messages import printable, read_message, read_observed, write_message
from btc_assets.forecasters.protocol import Forecaster, Observed, problems

MIB = 1024 * 1024
STATUS = Path("/proc/self/status")


def main() -> None:
    """Load the forecaster that the first message names, then forecast once a message until there is none."""
    requests, replies = _private_pipes()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    first, _ = read_message(requests)
    _limit_memory(first["memory_mb"])
    try:
        forecaster = load(first["target"], first["name"])
    except BaseException as error:
        write_message(replies, {"outcome": "not_loaded", "reason": _in_one_line(error)})
        return
    write_message(replies, {
        "outcome": "loaded", "name": forecaster.name, "version": forecaster.version,
        "needs": asdict(forecaster.needs),
    })  # fmt: skip
    with contextlib.suppress(ValueError):  # there is no further question
        while True:
            write_message(replies, *_forecast(forecaster, read_observed(requests)))


def load(target: str, name: str = "") -> Forecaster:
    """Import the forecaster at ``module:attribute``; a class is called without arguments.

    Raises:
        TypeError: it is not a forecaster that could be registered as ``name``.
    """
    module, _, attribute = target.partition(":")
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    forecaster: Any = found() if isinstance(found, type) else found
    wrong = problems(forecaster, name or getattr(forecaster, "name", ""))
    if wrong:
        raise TypeError("; ".join(wrong))
    loaded: Forecaster = forecaster
    return loaded


def _forecast(forecaster: Forecaster, observed: Observed) -> tuple[dict[str, Any], bytes]:
    begun = time.perf_counter()
    try:
        values = np.ascontiguousarray(np.asarray(forecaster.forecast(observed), dtype=np.float64))
        said: dict[str, Any] = {"outcome": "ok", "shape": list(values.shape)}
        content = values.tobytes()
    except MemoryError:
        said, content = {"outcome": "out_of_memory", "reason": "it ran out of the memory it may use"}, b""
    except BaseException as error:
        said, content = {"outcome": "crashed", "reason": _in_one_line(error)}, b""
    return said | {"seconds": time.perf_counter() - begun, "peak_mb": _peak_mb()}, content


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes of our parent for ourselves: what the forecaster prints goes to standard error."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, replies


def _limit_memory(megabytes: int) -> None:
    """Let allocations fail beyond ``megabytes`` (Linux counts what a process may write to)."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MIB, megabytes * MIB))


def _peak_mb() -> float:
    """Return the most memory that this program held, MiB; getrusage counts our parent's before it, too."""
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == "darwin" else 1024)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _in_one_line(error: BaseException) -> str:
    """Say what went wrong and in which line of the forecaster's code."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return printable(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{where}")


if __name__ == "__main__":
    main()
