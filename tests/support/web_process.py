"""``python -m btc_dash`` as a real process on a free port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def process(data_dir: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The server, stopped at the end whatever happens."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BTC_") and k != "PORT"}
    started = subprocess.Popen(
        [sys.executable, "-m", "btc_dash"],
        cwd=ROOT,
        env=kept | {"BTC_DATA_DIR": str(data_dir), "WEB_CONCURRENCY": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_for_answer(port: int, path: str = "/health", timeout: float = 60) -> str:
    """What the server says once it answers."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
