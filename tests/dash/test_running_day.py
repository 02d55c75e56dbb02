"""A forecast from the running day, against an exchange on loopback."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import dash_data
import pytest
from dash_server import context_at
from exchange import Exchange

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import NoDataYet, SourceUnavailable
from btc_assets.market.kline import Kline
from btc_assets.settings import Settings, load
from btc_dash.app import create_app
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for
from btc_dash.data.query import Question
from btc_dash.data.running_day import RunningDay, running_day
from btc_dash.text import forecast_text

NOW = Question(days=7, start="now")


def candle(close: float = 95_000.0, day: dt.date = dash_data.TODAY) -> Kline:
    """The running day at ``close``."""
    row = dash_data.klines(count=2).row(-1, named=True)
    row.pop("ingested_at")
    opened = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return Kline(
        **row | {"date": day, "close": close, "high": 2e5, "low": 1e4, "open_time": opened}
        | {"close_time": opened + dt.timedelta(hours=23)}
    )  # fmt: skip


def context_with(context: Context, running: RunningDay) -> Context:
    return replace(context, running=running)


def test_from_now_starts_at_the_running_price_and_is_provisional(context: Context) -> None:
    found = forecast_for(context_with(context, RunningDay(candle)), NOW, "a")
    assert isinstance(found, ForecastResult)
    assert found.last_close == 95_000.0
    assert found.past.dates[-1] == dash_data.TODAY
    assert found.target == dash_data.TODAY + dt.timedelta(days=7)
    assert found.forecast.computed
    assert "the day not over" in forecast_text.lead(found, dash_data.NOW)
    assert forecast_text.provenance(found).startswith("Provisional:")


def test_D1_the_running_candle_is_never_stored(context: Context) -> None:
    before = context.cache.read(RAW_KLINES).height
    forecast_for(context_with(context, RunningDay(candle)), NOW, "a")
    assert context.cache.read(RAW_KLINES).height == before
    found = forecast_for(context, Question(days=7), "a")
    assert isinstance(found, ForecastResult)
    assert found.last_close != 95_000.0


def test_everybody_within_a_minute_shares_one_look() -> None:
    clock, looks = [0.0], []

    def ask() -> Kline:
        looks.append(1)
        return candle()

    running = RunningDay(ask, clock=lambda: clock[0])
    for second in (0, 30, 59):
        clock[0] = second
        running.quote()
    assert len(looks) == 1
    clock[0] = 61
    running.quote()
    assert len(looks) == 2


def test_an_exchange_that_does_not_answer_says_so_and_nothing_else(context: Context) -> None:
    def ask() -> Kline:
        raise SourceUnavailable("connection refused to 10.0.0.1")

    found = forecast_for(context_with(context, RunningDay(ask)), NOW, "a")
    assert isinstance(found, NoForecast)
    assert "The exchange does not answer" in found.text
    assert "10.0.0.1" not in found.text


def test_days_that_are_missing_before_the_running_one_are_an_answer_not_a_guess(context: Context) -> None:
    late = candle(day=dash_data.TODAY + dt.timedelta(days=3))
    found = forecast_for(context_with(context, RunningDay(lambda: late)), NOW, "a")
    assert isinstance(found, NoForecast)
    assert "none can be computed" in found.text


@pytest.mark.parametrize("source", ["simulated", "archive"])
def test_a_source_without_a_running_day_does_not_offer_it(source: str) -> None:
    running = running_day(load({}, source=source, archive="somewhere"))
    assert not running.offered
    with pytest.raises(NoDataYet):
        running.quote()


def test_the_exchange_s_own_running_candle_is_asked_for(
    exchange: Exchange, tmp_path: Path, settings: Settings
) -> None:
    chosen = settings.model_copy(update={"binance_url": exchange.url, "cache_dir": tmp_path})
    assert running_day(chosen).quote().candle.date == exchange.clock.date()


def test_the_api_marks_it(settings: Settings) -> None:
    context = context_with(context_at(settings), RunningDay(candle))
    client = create_app(context=context).server.test_client()
    body = client.get("/api/v1/forecast?start=now&days=2").get_json()
    assert (body["provisional"], body["computed"], body["last_close"]) == (True, True, 95_000.0)
    assert client.get("/api/v1/forecast?start=later").status_code == 400
