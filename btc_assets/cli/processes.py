"""Long-lived child processes that are stopped with their parent, each with everything it started."""

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

PATIENCE = 20.0
"""Seconds a child gets to stop by itself before it is killed."""


@dataclass
class Child:
    """A running child process: its ``name`` for messages, and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.process.poll() is None

    def last_words(self, lines: int = 15) -> str:
        """The end of its output, to show why it died."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Children:
    """Starts children in process groups of their own and stops all of them, newest first, on exit."""

    log_folder: Path
    running: list[Child] = field(default_factory=list)

    def __enter__(self) -> Children:
        self.log_folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start ``python -m command`` with ``environment`` on top of ours; output goes to ``<name>.log``."""
        log = self.log_folder / f"{name}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.running.append(child)
        return child

    def stop(self) -> None:
        """Ask every child's group to stop, wait, and kill what is left."""
        for child in reversed(self.running):
            _signal_group(child, signal.SIGINT if child.name == "dagster" else signal.SIGTERM)
        for child in reversed(self.running):
            try:
                child.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _signal_group(child, signal.SIGKILL)
                child.process.wait()
        self.running.clear()


def _signal_group(child: Child, number: signal.Signals) -> None:
    # The group outlives its leader while a grandchild runs, so it is signalled even then.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


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
