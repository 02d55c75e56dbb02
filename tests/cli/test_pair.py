"""Another pair than BTCUSDT, end to end: one that was listed later, with networks that are fitted."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_fixture import RunBtc
from exchange import Exchange

LISTED, LAST = dt.date(2020, 8, 11), dt.date(2023, 4, 30)
FEW = {"BTC_REFIT_EVERY": "30"}


@pytest.fixture(scope="module")
def sol() -> Iterator[Exchange]:
    market = Exchange(clock=dt.datetime.now(dt.UTC), symbol="SOLUSDT")
    market.list_market(LISTED, LAST)
    yield market.start()
    market.stop()


def settings(exchange: Exchange, folder: Path, symbol: str) -> dict[str, str]:
    return FEW | {
        "BTC_SOURCE": "binance",
        "BTC_BINANCE_URL": exchange.url,
        "BTC_DATA_DIR": str(folder),
        "BTC_SYMBOL": symbol,
    }


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_D16_a_pair_that_was_listed_later_begins_at_its_first_candle(
    sol: Exchange, btc: RunBtc, tmp_path: Path
) -> None:
    env = settings(sol, tmp_path / "sol", "SOLUSDT")
    up = btc("up", "--once", **env)
    assert up.returncode == 0, up.stdout + up.stderr
    exported = btc("export", "raw_klines", "--out", str(tmp_path / "k.csv"), **env)
    assert exported.returncode == 0, exported.stderr
    rows = (tmp_path / "k.csv").read_text().splitlines()
    assert len(rows) == 1 + (LAST - LISTED).days + 1
    forecast = btc("forecast", "--days", "3", "--json", **env)
    assert json.loads(forecast.stdout)["symbol"] == "SOLUSDT"
    assert json.loads(forecast.stdout)["origin_date"] == LAST.isoformat()
    backtest = btc("backtest", "--from", "2023-04-01", "--to", "2023-04-03", **env)
    assert backtest.returncode == 0, backtest.stderr
    verified = btc("verify", **env)
    assert verified.returncode == 0, verified.stdout
    assert "records of SOLUSDT" in verified.stdout

    wrong = env | {"BTC_SYMBOL": "ETHUSDT"}
    for command in (
        ["up", "--once"],
        ["verify"],
        ["forecast"],
        ["backtest", "--from", "2023-04-01", "--to", "2023-04-01"],
    ):
        refused = btc(*command, **wrong)
        assert refused.returncode != 0, command
        assert "holds SOLUSDT, and BTC_SYMBOL is ETHUSDT" in refused.stderr, command
        assert "Traceback" not in refused.stderr
    assert "holds SOLUSDT, and BTC_SYMBOL is ETHUSDT" in btc("doctor", **wrong).stdout
