"""Name a process so that no later process, which may get the same number, is taken for it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def this_process() -> str:
    """Return a name for this process that no later process gets: ``<boot id>:<pid>:<start ticks>``."""
    return f"{_boot_id()}:{os.getpid()}:{_start_ticks(os.getpid())}"


def is_running(identity: str) -> bool:
    """Tell whether the process that `this_process` named still runs; a zombie does not."""
    boot, pid, ticks = identity.split(":")
    return boot == _boot_id() and _start_ticks(int(pid)) == ticks


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else "boot"


def _start_ticks(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "?" if psutil.pid_exists(pid) and not Path("/proc/self/stat").exists() else "gone"
    return "gone" if fields[0] in "ZX" else fields[19]
