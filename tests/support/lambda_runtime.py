"""AWS Lambda on loopback: the Runtime API that `awslambdaric` speaks, around a real process of it.

`Function` starts the process on the first invocation (cold), keeps it for the next (warm), kills it at
the time-out and starts a new one afterwards, as Lambda does. ``output`` reads the file it writes to.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from loopback import Handler, Server

ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What one invocation came to."""

    payload: Any
    error: str | None
    """The error's type, None for success."""
    message: str
    cold: bool
    seconds: float


class Function:
    """One Lambda function with one execution environment."""

    def __init__(
        self,
        handler: str,
        environ: dict[str, str],
        *,
        timeout: float = 60.0,
        command: list[str] | None = None,
    ) -> None:
        self.timeout = timeout
        self.init_seconds = 0.0
        """From the start of the newest process until it asked for its first event."""
        self._command = command or [sys.executable, "-m", "awslambdaric", handler]
        self._environ = environ
        self._events: SimpleQueue[tuple[str, bytes, int]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, str, bytes]] = SimpleQueue()
        self._started: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log, name = tempfile.mkstemp()
        Path(name).unlink()
        self._server = Server(self._routes()).start()

    @property
    def output(self) -> list[str]:
        """What the processes wrote so far, by lines; all of it that was written before an answer is there."""
        return os.pread(self._log, 10**8, 0).decode(errors="replace").splitlines(keepends=True)

    @property
    def address(self) -> str:
        """Host and port of the Runtime API."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def invoke(self, event: object) -> Outcome:
        """Hand ``event`` (bytes are sent as they are) to the function and wait for what it says."""
        began = time.perf_counter()
        cold = self._process is None or self._process.poll() is not None
        if cold:
            self._start()
        request = str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._events.put((request, body, int((time.time() + self.timeout) * 1000)))
        outcome = self._wait(request)
        outcome.cold, outcome.seconds = cold, time.perf_counter() - began
        return outcome

    def close(self) -> None:
        """End the process and the server."""
        self._kill()
        os.close(self._log)
        self._server.stop()

    def _wait(self, request: str) -> Outcome:
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            try:
                answered, kind, body = self._answers.get(timeout=0.05)
            except Empty:
                if self._process is not None and self._process.poll() is not None:
                    return Outcome(None, "Runtime.ExitError", f"exit {self._process.returncode}", True, 0)
                continue
            if kind == "init":
                self._kill()
                return Outcome(None, "Runtime.InitError", body.decode(), True, 0)
            if answered == request:
                content = json.loads(body)
                if kind == "response":
                    return Outcome(content, None, "", False, 0)
                return Outcome(content, content["errorType"], content["errorMessage"], False, 0)
        self._kill()
        return Outcome(None, "Sandbox.Timedout", f"timed out after {self.timeout} s", False, 0)

    def _start(self) -> None:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        environ = inherited | {
            "AWS_LAMBDA_RUNTIME_API": self.address,
            "AWS_LAMBDA_FUNCTION_NAME": "ingest",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PYTHONPATH": str(ROOT),
            "TZ": ":UTC",
        }
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [part.replace("{runtime_api}", self.address) for part in self._command],
            env=environ | self._environ,
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _kill(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _routes(self) -> type[Handler]:
        function = self

        class Routes(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if function._started is not None:
                    function.init_seconds = time.perf_counter() - function._started
                    function._started = None
                process = function._process
                while process is not None and process is function._process and process.poll() is None:
                    try:
                        request, body, deadline = function._events.get(timeout=0.05)
                    except Empty:
                        continue
                    headers = {"Aws-Request-Id": request, "Deadline-Ms": str(deadline)}
                    headers["Invoked-Function-Arn"] = (
                        "arn:aws:lambda:eu-central-1:000000000000:function:ingest"
                    )
                    self.reply(200, body, {f"Lambda-Runtime-{k}": v for k, v in headers.items()})
                    return
                self.close_connection = True

            def do_POST(self) -> None:
                body = self.body()
                match = re.fullmatch(r"/2018-06-01/runtime/invocation/(.+)/(response|error)", self.path)
                function._answers.put((match[1], match[2], body) if match else ("", "init", body))
                self.reply(202, {"status": "OK"})

            def body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return super().body()
                parts = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return parts

        return Routes


class InvokeApi:
    """The Lambda service's Invoke API around functions, as boto3 calls it."""

    def __init__(self, **functions: Function) -> None:
        class Routes(Handler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                event = self.body()
                match = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations", self.path)
                function = functions.get(match[1]) if match else None
                if function is None:
                    unknown = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
                    self.reply(404, {"Message": "no such function"}, unknown)
                    return
                before = len(function.output)
                outcome = function.invoke(event)
                tail = "".join(function.output[before:]).encode()[-4096:]
                headers = {"X-Amz-Log-Result": base64.b64encode(tail).decode()}
                if outcome.error is not None:
                    headers["X-Amz-Function-Error"] = "Unhandled"
                self.reply(200, outcome.payload, headers)

        server = Server(Routes).start()
        self.url, self.close = server.url, server.stop
