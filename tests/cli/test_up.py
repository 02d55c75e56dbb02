"""`btc up`, end to end: from an empty folder to a forecast on the page, and a clean stop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from btc_up import LAST, Up, get
from cli_fixture import RunBtc


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path)
    yield started
    started.end()


@pytest.mark.timeout(600)
def test_S1_from_an_empty_folder_to_a_forecast_and_back_and_on_without_a_source(up: Up, btc: RunBtc) -> None:
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
    up.environment |= {"BTC_SOURCE": "binance", "BTC_BINANCE_URL": "http://127.0.0.1:9"}
    up.environment |= {"BTC_SOURCE_DEADLINE": "3"}
    up.start()
    up.wait_for("the second start, without its source", lambda: "Ready:" in up.said())
    assert time.monotonic() - began < 180, "most of it is Dagster, which must have loaded the code location"
    assert "Going on with what is stored" in up.said()
    health = json.loads(get(f"http://127.0.0.1:{up.web}/api/v1/health")[1])
    assert health["newest_origin"] == LAST.isoformat()
    assert health["data"] != "fresh"
    doctor = json.loads(btc("doctor", "--json", **settings_of(up)).stdout)
    found = {each["name"]: each["state"] for each in doctor["findings"]}
    assert {found[name] for name in ("page", "dagster", "code_location")} == {"ok"}
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
