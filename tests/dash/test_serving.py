"""``python -m btc_dash`` as an operator runs it: a real process on a free port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from loopback import free_port, wait_for
from web_process import ROOT, process


def test_port_goes_before_the_setting_and_sigterm_ends_it_cleanly(filled: Path) -> None:
    port = free_port()
    with process(filled, PORT=str(port), BTC_WEB_PORT=str(free_port())) as server:
        assert wait_for(f"http://127.0.0.1:{port}/health") == b"OK"
        assert b"2026-11-21" in wait_for(f"http://127.0.0.1:{port}/api/v1/health")
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
