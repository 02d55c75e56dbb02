"""Another pair than BTCUSDT, listed later, end to end: fitted networks, backtest, forecast, and pages."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_fixture import RunBtc
from dash_browser import PageVisit, launch
from dash_server import Served
from exchange import Exchange
from playwright.sync_api import sync_playwright

from btc_assets.market.pair import ticker
from btc_assets.settings import load
from btc_dash.app import create_app

LISTED, LAST = dt.date(2020, 8, 11), dt.date(2023, 4, 30)
FEW = {"BTC_REFIT_EVERY": "30"}


@pytest.fixture(scope="module")
def exchange_of_eth() -> Iterator[Exchange]:
    market = Exchange(clock=dt.datetime.now(dt.UTC), symbol="ETHUSDT")
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


def page_shows(env: dict[str, str], symbol: str, newest: dt.date) -> None:
    """Look at the pages of the pair in a real browser, as they are served."""
    served = Served(create_app(load(env)))
    try:
        with sync_playwright() as playwright, launch(playwright) as browser:
            visit = PageVisit(browser.new_page(), served.url)
            text = visit.open("/?days=14").inner_text("body")
            assert f"The chance that {ticker(symbol)} " in text, text
            assert f"Data to {newest:%-d %b %Y}" in text, text
            assert "Bitcoin" not in text, text
            assert "BTC" not in text, text
            for path in ("/track-record", "/models", "/volatility", "/about"):
                assert "Bitcoin price" not in visit.open(path).inner_text("main"), path
            assert visit.complaints == []
    finally:
        served.stop()


def test_D16_nothing_of_another_pair_is_copied_under_the_name_of_this_one(
    btc: RunBtc, tmp_path: Path
) -> None:
    """An archive said that it was of ETHUSDT, in which nothing was issued yet."""
    day = ("--from", "2017-08-17", "--to", "2017-08-17")
    assert btc("backfill", *day, "--assets", "raw_klines", BTC_SOURCE="simulated").returncode == 0
    for command in (["backup"], ["export", "raw_klines"]):
        out = tmp_path / "out.csv"
        done = btc(*command, "--out", str(out), BTC_SOURCE="simulated", BTC_SYMBOL="ETHUSDT")
        assert done.returncode != 0, done.stdout
        assert "holds BTCUSDT, and BTC_SYMBOL is ETHUSDT" in done.stderr
        assert not out.exists()


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_D16_a_pair_that_was_listed_later_begins_at_its_first_candle(
    exchange_of_eth: Exchange, btc: RunBtc, tmp_path: Path
) -> None:
    env = settings(exchange_of_eth, tmp_path / "eth", "ETHUSDT")
    up = btc("up", "--once", **env)
    assert up.returncode == 0, up.stdout + up.stderr
    exported = btc("export", "raw_klines", "--out", str(tmp_path / "k.csv"), **env)
    assert exported.returncode == 0, exported.stderr
    rows = (tmp_path / "k.csv").read_text().splitlines()
    assert len(rows) == 1 + (LAST - LISTED).days + 1
    forecast = btc("forecast", "--days", "3", "--json", **env)
    assert json.loads(forecast.stdout)["symbol"] == "ETHUSDT"
    assert json.loads(forecast.stdout)["origin_date"] == LAST.isoformat()
    backtest = btc("backtest", "--from", "2023-04-01", "--to", "2023-04-03", **env)
    assert backtest.returncode == 0, backtest.stderr
    verified = btc("verify", **env)
    assert verified.returncode == 0, verified.stdout
    assert "records of ETHUSDT" in verified.stdout

    page_shows(env, "ETHUSDT", LAST)

    wrong = env | {"BTC_SYMBOL": "SOLUSDT"}
    for command in (
        ["up", "--once"],
        ["verify"],
        ["forecast"],
        ["backtest", "--from", "2023-04-01", "--to", "2023-04-01"],
    ):
        refused = btc(*command, **wrong)
        assert refused.returncode != 0, command
        assert "holds ETHUSDT, and BTC_SYMBOL is SOLUSDT" in refused.stderr, command
        assert "Traceback" not in refused.stderr
    assert "holds ETHUSDT, and BTC_SYMBOL is SOLUSDT" in btc("doctor", **wrong).stdout
