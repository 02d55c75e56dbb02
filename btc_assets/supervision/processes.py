"""Start long-lived processes, watch them, and stop them with everything that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from btc_assets.errors import BtcError, ConfigurationError
from btc_assets.supervision import watchdog
from btc_assets.supervision.descendants import descendants, end, mark
from btc_assets.supervision.signals import uninterrupted

SURROUNDINGS = {"PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8:replace", "PYTHONDONTWRITEBYTECODE": ""}
"""What no process inherits: modules of the working folder in place of installed ones, a narrow encoding, and
that nothing compiled is kept, which would have each of them compile 1,800 modules at every start."""

STOP_TIMEOUT = 20.0
"""Seconds that a process gets to stop by itself before it is killed."""

LONGEST_TMPDIR = 70
"""Bytes that TMPDIR may have: the address of a socket below it has 107 at most."""


@dataclass
class ManagedProcess:
    """A running process: its name for messages, the file its output goes to, the signal that ends it."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    ends_by: signal.Signals = signal.SIGTERM

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.popen.poll() is None

    def log_tail(self, lines: int = 15) -> str:
        """Return the last ``lines`` of its output; equal ones that follow each other are one."""
        said = [line for line, _ in groupby(self.log.read_text(errors="replace").splitlines())]
        return "\n".join(said[-lines:])


@dataclass
class Supervisor:
    """Starts processes that work on ``folder``; none outlives this one, however this one ends.

    They are stopped on exit, newest first. If this process is killed, the watchdog stops them; if both are,
    the next start does (`btc_assets.supervision.descendants`).
    """

    folder: Path
    stop_timeout: float = STOP_TIMEOUT
    running: list[ManagedProcess] = field(default_factory=list)
    _watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Supervisor:
        self.log_folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        with uninterrupted():
            self.stop()

    @property
    def log_folder(self) -> Path:
        """The folder of what the processes write to standard output and error."""
        return self.folder / "logs"

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str | None = None,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> ManagedProcess:
        """Start ``python -m command``, without the working folder on the path of imports.

        Args:
            name: for messages; the output goes to ``<name>.log``.
            command: module and its arguments.
            environment: variables on top of those of this process.
            folder: its working folder; this process's unless given.
            ends_by: the signal that asks it to stop.
        """
        self._ensure_watchdog()
        log = self.log_folder / f"{name}.log"
        with log.open("wb") as sink:
            popen = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", *command],
                env={**self._environment(), **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = ManagedProcess(name, popen, log, ends_by)
        self.running.append(process)
        return process

    def require_alive(self, servers: Sequence[ManagedProcess]) -> None:
        """Raise BtcError with the end of its log if a server has stopped by itself."""
        self._ensure_watchdog()
        for server in servers:
            if not server.alive:
                raise BtcError(
                    f"{server.name} stopped by itself:\n{server.log_tail()}\nThe whole log is {server.log}."
                )

    def stop(self) -> None:
        """Ask every process group to stop, wait, and kill what is left of all that was started."""
        for process in reversed(self.running):
            _signal_group(process, process.ends_by)
        for process in reversed(self.running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(self.stop_timeout)
            _signal_group(process, signal.SIGKILL)
            process.popen.wait()
        self.running.clear()
        if self._watchdog is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._watchdog.communicate(watchdog.DONE, timeout=STOP_TIMEOUT)
            self._watchdog = None
        end(descendants, grace=1.0)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **mark(self.folder), **SURROUNDINGS, "TMPDIR": _short_tmpdir()}

    def _ensure_watchdog(self) -> None:
        if self._watchdog is not None and self._watchdog.poll() is None:
            return
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", watchdog.__name__, str(self.folder), str(self.stop_timeout)],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _short_tmpdir() -> str:
    """Return a folder of temporary files in which Dagster's code server can bind a socket."""
    chosen = tempfile.gettempdir()
    return chosen if len(os.fsencode(chosen)) <= LONGEST_TMPDIR else "/tmp"  # noqa: S108


def _signal_group(process: ManagedProcess, number: signal.Signals) -> None:
    # The group outlives its leader while a grandchild runs, so it is signalled even then.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.popen.pid, number)


def require_free_port(host: str, port: int, what: str, flag: str) -> None:
    """Refuse (ConfigurationError) a port that something else listens on; ``flag`` is what changes it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} on {host}, wanted for {what}, cannot be used ({error.strerror}); "
            f"stop what uses it, or choose another with {flag}"
        ) from None
