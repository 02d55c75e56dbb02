"""Ending what a test started, children included."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any


def end_session(process: subprocess.Popen[Any], seconds: float = 60) -> None:
    """Interrupt ``process``, started with ``start_new_session=True``, and kill what it leaves behind.

    Dagster's daemon leaves code servers that outlive it where their database is gone.
    """
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
