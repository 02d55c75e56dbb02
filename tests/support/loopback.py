"""HTTP servers on loopback for tests: a free port each, quiet, gone with the test; and waiting for any."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


class Server(ThreadingHTTPServer):
    """A thread a connection, none of which outlives the test; a client that hangs up is no news."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> Self:
        """Answer, until ``stop``."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Be down from now on."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection, of which nothing is logged."""

    disable_nagle_algorithm = True  # else the body of an answer waits 40 ms until its head is acknowledged

    def body(self) -> bytes:
        """What was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: Any = b"", headers: dict[str, str] | None = None) -> None:
        """A whole, well-formed answer; anything but bytes goes out as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.start(status, len(content), headers)
        if self.command != "HEAD":
            self.wfile.write(content)

    def start(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        """The head of an answer of ``length`` bytes."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class FileHandler(SimpleHTTPRequestHandler):
    """Shows files, and logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server while it runs."""
    server = Server(handler).start()
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Show the files of ``folder`` on a web server; yields its address."""
    with serving(partial(FileHandler, directory=str(folder))) as url:
        yield url


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[Any] | None = None, seconds: float = 120) -> bytes:
    """What is at ``url`` once it answers; fails if ``process`` ends before."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return bytes(answer.read())
        except OSError as error:
            if (process and process.poll() is not None) or time.monotonic() > end:
                raise AssertionError(f"no answer at {url}: {error}") from error
            time.sleep(0.05)
