"""Long-lived process processes that are stopped with their parent, each with everything it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from btc_assets.errors import ConfigurationError

STOP_TIMEOUT = 20.0
"""Seconds that a process gets to stop by itself before it is killed."""


@dataclass
class ManagedProcess:
    """A running process: its name for messages, and the file its output goes to."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.popen.poll() is None

    def log_tail(self, lines: int = 15) -> str:
        """Return the last ``lines`` of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Supervisor:
    """Starts processes in process groups of their own; stops all of them, newest first, on exit."""

    log_folder: Path
    running: list[ManagedProcess] = field(default_factory=list)

    def __enter__(self) -> Supervisor:
        self.log_folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> ManagedProcess:
        """Start ``python -m command``.

        Args:
            name: for messages; the output goes to ``<name>.log``.
            command: module and its arguments.
            environment: variables on top of those of this process.
        """
        log = self.log_folder / f"{name}.log"
        with log.open("wb") as sink:
            popen = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = ManagedProcess(name, popen, log)
        self.running.append(process)
        return process

    def stop(self) -> None:
        """Ask every process group to stop, wait, and kill what is left."""
        for process in reversed(self.running):
            _signal_group(process, signal.SIGINT if process.name == "dagster" else signal.SIGTERM)
        for process in reversed(self.running):
            try:
                process.popen.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _signal_group(process, signal.SIGKILL)
                process.popen.wait()
        self.running.clear()


def _signal_group(process: ManagedProcess, number: signal.Signals) -> None:
    # The group outlives its leader while a grandchild runs, so it is signalled even then.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.popen.pid, number)


def require_free_port(host: str, port: int, what: str, flag: str) -> None:
    """Refuse a port that something else listens on.

    Raises:
        ConfigurationError: names the port, what wanted it and the flag that changes it.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {host}, wanted for {what}, cannot be used ({error.strerror}); "
                f"stop what uses it, or choose another with {flag}"
            ) from None
