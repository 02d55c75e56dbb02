"""``python -m btc_dash`` as an operator runs it: a real process on a free port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


def answer(port: int, path: str = "/health", patience: float = 60) -> str:
    """What the server says once it answers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_port_goes_before_the_setting_and_sigterm_ends_it_cleanly(filled: Path) -> None:
    port = free_port()
    with process(filled, PORT=str(port), BTC_WEB_PORT=str(free_port())) as server:
        assert answer(port) == "OK"
        assert "2026-11-21" in answer(port, "/api/v1/health")
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=30)
        assert server.returncode == 0
        assert re.search(r"INFO btc_dash.requests [0-9a-f]{16} GET '/api/v1/health' 200", said)


@pytest.mark.parametrize("port", ["http", "0", "70000", "80 80"])
def test_a_port_that_is_none_is_one_sentence_and_exit_code_2(filled: Path, port: str) -> None:
    with process(filled, PORT=port) as server:
        said, _ = server.communicate(timeout=60)
        assert server.returncode == 2
        assert said.strip() == f"btc_dash: PORT = {port!r}: a whole number from 1 to 65535 is needed"


def test_K3_an_unknown_setting_is_refused_at_start(filled: Path) -> None:
    with process(filled, BTC_WEB_PROT="8050") as server:
        said, _ = server.communicate(timeout=60)
        assert server.returncode == 2
        assert "did you mean BTC_WEB_PORT?" in said


def test_neither_tensorflow_nor_dagster_is_loaded_to_serve_or_to_forecast(filled: Path) -> None:
    code = """
import sys
from btc_dash.wsgi import server
client = server.test_client()
assert client.get("/api/v1/forecast?as_of=2026-09-01").get_json()["computed"]
assert client.get("/api/v1/scores").status_code == 200
heavy = {"tensorflow", "keras", "dagster", "hopsworks", "boto3", "matplotlib", "optuna"} & set(sys.modules)
assert not heavy, heavy
"""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BTC_")}
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=kept | {"BTC_DATA_DIR": str(filled)},
        check=True,
        timeout=120,
    )
