"""A process that has imported everything and used none of it, and forks children to be killed in the middle.

An interpreter that imports a store takes a second to start; a fork of one that has takes a few milliseconds.
So hundreds of kills cost a minute. The children say what they have finished, a line each, as they go::

    with ForkServer("from btc_assets.storage.delta.store import DeltaTables") as fork_server:
        end = fork_server.run("tables = DeltaTables(root); say('begin'); tables.upsert(...); say('1')",
                          {"root": "..."}, kill_after=0.03)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]

FORK_SERVER_SCRIPT = """
import json, os, select, signal, sys, time, traceback
{setup}
for _line in sys.stdin:
    _job = json.loads(_line)
    _from, _to = os.pipe()
    _pid = os.fork()
    if _pid == 0:
        os.close(_from)
        def say(text):
            os.write(_to, (text + chr(10)).encode())
        try:
            exec(_job["script"], {{**globals(), **_job["names"], "say": say}})
            os._exit(0)
        except BaseException:
            say("TRACEBACK " + json.dumps(traceback.format_exc()))
            os._exit(1)
    os.close(_to)
    _said, _kill_at = b"", time.monotonic() + 120
    while True:
        _ready, _, _ = select.select([_from], [], [], max(0.0, _kill_at - time.monotonic()))
        if not _ready:
            os.kill(_pid, signal.SIGKILL)
            _kill_at = time.monotonic() + 120
            continue
        _part = os.read(_from, 65536)
        if not _part:
            break
        if _job["kill_after"] is not None and b"begin" not in _said and b"begin" in _part:
            _kill_at = time.monotonic() + _job["kill_after"]
        _said += _part
    os.close(_from)
    _status = os.waitstatus_to_exitcode(os.waitpid(_pid, 0)[1])
    print("FORK_SERVER " + json.dumps([_status, _said.decode()]), flush=True)
"""


@dataclass(frozen=True)
class ProcessEnd:
    """How a forked process ended: its exit status (negative: the signal that killed it) and its lines."""

    status: int
    said: list[str]

    @property
    def killed(self) -> bool:
        """Whether it was killed, as planned."""
        return self.status == -9


class ForkServer:
    """Runs scripts in forks of one prepared process; ``setup`` is Python that imports what they need."""

    def __init__(self, setup: str, log: Path) -> None:
        self._setup, self._log = setup, log

    def __enter__(self) -> Self:
        self._errors = self._log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORK_SERVER_SCRIPT.format(setup=self._setup)],
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests' / 'support'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._errors.close()

    def run(self, script: str, names: dict[str, Any], kill_after: float | None = None) -> ProcessEnd:
        """Run ``script`` with the variables ``names``; kill it so many seconds after it said "begin"."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"script": script, "names": names, "kill_after": kill_after}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("FORK_SERVER "):
                status, said = json.loads(line.removeprefix("FORK_SERVER "))
                return ProcessEnd(status, said.splitlines())
        raise AssertionError(f"the fork_server is gone: {self._log.read_text()[-2000:]}")
