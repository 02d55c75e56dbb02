"""Another pair than BTCUSDT: it begins at its first candle, and has a folder of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from exchange import Exchange
from graph_environment import GraphEnvironment, point_settings_at

from btc_assets.cli.catch_up import load_history, newest_day
from btc_assets.contracts import FORECASTS, RAW_KLINES, RAW_KLINES_4H
from btc_assets.defs.automation.catch_up_sensor import catch_up
from btc_assets.defs.resources import Platform
from btc_assets.errors import ConfigurationError
from btc_assets.factory import open_pair, open_registry
from btc_assets.health import examine
from btc_assets.health.context import HealthContext
from btc_assets.launch import RunFailed, open_instance
from btc_assets.ledger.verification.verify import verify
from btc_assets.market.calendar import DAY
from btc_assets.market.sources.factory import open_source
from btc_assets.settings import load
from btc_dash.data.context import open_context
from btc_dash.data.forecasting import NoForecast, forecast_for, read_question

LISTED, LAST = dt.date(2020, 8, 11), dt.date(2023, 1, 31)


@pytest.fixture
def sol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphEnvironment]:
    """SOLUSDT, listed in 2020, and nothing loaded yet."""
    market = Exchange(clock=dt.datetime.now(dt.UTC), symbol="SOLUSDT")
    market.list_market(LISTED, LAST)
    market.start()
    monkeypatch.setenv("BTC_SYMBOL", "SOLUSDT")
    settings = point_settings_at(monkeypatch, market, tmp_path)
    with open_instance(settings) as instance:
        yield GraphEnvironment(market, settings, instance)
    market.stop()


@pytest.mark.faults
def test_D16_a_pair_begins_at_its_first_candle_which_is_remembered(sol: GraphEnvironment) -> None:
    source = open_source(sol.settings)
    newest, first = newest_day(source, "SOLUSDT"), source.first_day("SOLUSDT")
    assert first == LISTED
    load_history(sol.settings, sol.instance, first, newest)
    for spec in (RAW_KLINES, RAW_KLINES_4H):
        assert sol.table(spec)["date"].unique().len() == (LAST - LISTED).days + 1
    asked = len(sol.exchange.requests)
    assert open_source(sol.settings).first_day("SOLUSDT") == LISTED
    assert len(sol.exchange.requests) == asked
    load_history(sol.settings, sol.instance, first, newest)
    assert len(sol.exchange.requests) == asked, "nothing is missing"

    sol.register(LAST - DAY, LAST)
    sol.run("walk_forward", LAST - DAY, LAST)
    assert sol.table(FORECASTS)["symbol"].unique().to_list() == ["SOLUSDT"]
    report = verify(open_pair(sol.settings), open_registry(sol.settings), "SOLUSDT")
    assert report.ok
    assert "records of SOLUSDT" in report.line()
    context = open_context(sol.settings)
    found = forecast_for(context, read_question(context, {})[0], "me")
    assert not isinstance(found, NoForecast)

    with pytest.raises(
        RunFailed, match="first candle of SOLUSDT is that of 2020-08-11: there is none for 2017"
    ):
        sol.run("market_history", dt.date(2017, 8, 17), dt.date(2017, 9, 1))
    with pytest.raises(RunFailed, match=r"a forecast needs \d+ candles before .*the first is of 2020-08-11"):
        sol.run("walk_forward", LISTED + DAY, LISTED + 3 * DAY)


def test_D16_a_memory_that_cannot_be_read_is_asked_for_again(sol: GraphEnvironment) -> None:
    memory = sol.settings.cache_dir / "first-days.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    for content in ("", "[]", '{"a": 1}', "\0" * 50):
        memory.write_text(content)
        assert open_source(sol.settings).first_day("SOLUSDT") == LISTED
    assert list(json.loads(memory.read_text()).values()) == [f"{LISTED}"]


def test_D16_a_folder_of_another_pair_is_refused_by_name(
    sol: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sol.run("market_history", LISTED, LISTED + 9 * DAY)
    monkeypatch.setenv("BTC_SYMBOL", "ETHUSDT")
    settings = load()
    said = "holds SOLUSDT, and BTC_SYMBOL is ETHUSDT: a pair needs a folder of its own"
    with pytest.raises(ConfigurationError, match=said):
        open_pair(settings)
    with pytest.raises(RunFailed, match=said):
        sol.run("market_history", LISTED + 10 * DAY, LISTED + 11 * DAY)
    with pytest.raises(ConfigurationError, match=said):
        catch_up(dg.build_sensor_context(instance=sol.instance, resources={"platform": Platform()}))
    tables, days = examine.examine(HealthContext(settings), [examine.TABLES, examine.DAYS])
    assert said in tables.detail
    assert said in days.detail
    context = open_context(settings)
    found = forecast_for(context, read_question(context, {})[0], "me")
    assert isinstance(found, NoForecast)
    assert found.title == "No prices of ETHUSDT"
    assert "holds SOLUSDT, and BTC_SYMBOL is ETHUSDT" in found.text
    assert not found.command, "the command would not help"
