from __future__ import annotations

import datetime as dt

import dash_data
import numpy as np

from btc_assets.contracts import HORIZONS, LEVELS
from btc_dash.data import market
from btc_dash.data.context import Context


def test_an_issued_forecast_is_read_as_it_was_written(context: Context) -> None:
    forecast = market.issued(context.cache, "lstm", dash_data.NEWEST)
    assert forecast is not None
    assert forecast.quantiles.shape == (HORIZONS, len(LEVELS))
    assert forecast.targets[0] == dash_data.TODAY
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert not forecast.computed
    assert not forecast.backfilled
    assert len(forecast.first(7).targets) == 7


def test_live_and_backfilled_forecasts_are_told_apart(context: Context) -> None:
    old = market.issued(context.cache, "mlp", dash_data.NEWEST - dt.timedelta(days=40))
    assert old is not None
    assert old.backfilled


def test_a_window_of_history_is_half_open(context: Context) -> None:
    candles = market.history(context.cache)
    start, end = dash_data.NEWEST - dt.timedelta(days=9), dash_data.NEWEST
    part = candles.window(start, end)
    assert (part.dates[0], part.dates[-1]) == (start, end - dt.timedelta(days=1))
    assert part.frame.height == len(part.closes) == 9
    assert candles.close_on(end + dt.timedelta(days=1)) is None


def test_M2_events_tell_refused_refits_of_both_networks_for_the_ensemble(context: Context) -> None:
    events = market.events(context.cache, "ensemble")
    assert events
    assert all(event.model == "lstm" and "held back" in event.text for event in events)
    assert [e.day for e in events] == sorted({e.day for e in events}, reverse=True)
    assert market.events(context.cache, "mlp") == []


def test_the_reason_of_a_vintage_does_not_name_it_again(context: Context) -> None:
    assert {period.reason for period in context.cards.periods("mlp")} == {"not clearly worse"}
