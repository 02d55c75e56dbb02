"""`btc up`, end to end: from an empty folder to a forecast on the page, and a clean stop."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cli_fixture import RunBtc
from dumps import write_dumps

LAST = dt.date(2020, 2, 29)
START_TIMEOUT = 280.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Up:
    """A running ``btc up``."""

    def __init__(self, folder: Path) -> None:
        self.web, self.dagster = free_port(), free_port()
        self.dumps = folder / "dumps"
        write_dumps(self.dumps, LAST)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
        self.environment = {
            **clean,
            "BTC_SOURCE": "archive",
            "BTC_ARCHIVE": str(folder / "dumps"),
            "BTC_DATA_DIR": str(folder / "data"),
            "BTC_CACHE_DIR": str(folder / "cache"),
            "BTC_REFIT_EVERY": "30",
            "COLUMNS": "160",
        }
        self.log = folder / "up.log"
        self.start()

    def start(self) -> None:
        ports = ["--web-port", str(self.web), "--dagster-port", str(self.dagster)]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "btc_assets.cli", "up", *ports],
                env=self.environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, what: str, ready: object) -> None:
        end = time.monotonic() + START_TIMEOUT
        while not ready():  # type: ignore[operator]
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, f"{what} took too long:\n{self.said()}"
            time.sleep(0.1)

    def stop(self) -> list[psutil.Process]:
        """Ctrl-C; returns whatever it left behind."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        return [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path)
    yield started
    if started.process.poll() is None:
        started.stop()


@pytest.mark.timeout(600)
def test_from_an_empty_folder_to_a_forecast_and_back(up: Up, btc: RunBtc) -> None:
    up.wait_for("the page", lambda: get(f"http://127.0.0.1:{up.web}/health")[0] == 200)
    up.wait_for("the forecast", lambda: "Ready:" in up.said())

    status, body = get(f"http://127.0.0.1:{up.web}/api/v1/forecast?days=14")
    assert status == 200
    assert json.loads(body)["origin_date"] == LAST.isoformat()
    assert get(f"http://127.0.0.1:{up.web}/?days=14")[0] == 200
    up.wait_for("Dagster", lambda: get(f"http://127.0.0.1:{up.dagster}/server_info")[0] == 200)

    again = btc(
        "up", "--source", "archive", **{k: v for k, v in up.environment.items() if k.startswith("BTC_")}
    )
    assert again.returncode == 2
    assert "another `btc up`" in again.stderr or "cannot be used" in again.stderr

    assert up.stop() == []
    assert "stopped." in up.said()

    settings = {k: v for k, v in up.environment.items() if k.startswith("BTC_")}
    forecast = btc("forecast", "--days", "7", "--json", **settings)
    assert forecast.returncode == 0, forecast.stderr
    assert len(json.loads(forecast.stdout)["forecasts"]) == 7
    verified = btc("verify", **settings)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    began = time.monotonic()
    up.start()
    up.wait_for("the second start", lambda: "Ready:" in up.said())
    assert time.monotonic() - began < 180, "most of it is Dagster, which must have loaded the code location"
    doctor = json.loads(btc("doctor", "--json", **settings_of(up)).stdout)
    found = {each["name"]: each["state"] for each in doctor["findings"]}
    assert {found[name] for name in ("page", "dagster", "code_location")} == {"ok"}
    assert up.stop() == []

    (up.dumps).rename(up.dumps.with_name("gone"))
    up.start()
    up.wait_for("a start without its source", lambda: "Ready:" in up.said())
    assert "Going on with what is stored" in up.said()
    health = json.loads(get(f"http://127.0.0.1:{up.web}/api/v1/health")[1])
    assert health["newest_origin"] == LAST.isoformat()
    assert health["data"] != "fresh"
    assert up.stop() == []


def settings_of(up: Up) -> dict[str, str]:
    ports = {"BTC_WEB_PORT": str(up.web), "BTC_DAGSTER_PORT": str(up.dagster)}
    return {k: v for k, v in up.environment.items() if k.startswith("BTC_")} | ports


def test_a_port_in_use_is_named_with_the_flag_that_changes_it(btc: RunBtc) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = btc("up", "--source", "simulated", "--web-port", port)
    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert "--web-port" in result.stderr
