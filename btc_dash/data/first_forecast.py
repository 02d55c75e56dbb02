"""A forecast from the candles alone, shown while the networks are fitted for the first time."""

from __future__ import annotations

import datetime as dt

import polars as pl

from btc_assets.contracts import RAW_KLINES
from btc_assets.errors import ModelError
from btc_assets.market.calendar import DAY
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, result_of
from btc_dash.data.market import Forecast
from btc_dash.data.query import Question

STRONGEST = "mixture_walk"
"""The baseline that no plain random walk has beaten; it needs no fit."""


def first_forecast(context: Context, question: Question) -> ForecastResult | None:
    """Forecast with the strongest baseline from the last close; None once a network has issued anything.

    It is also None with too few candles. It is computed when asked for and no part of the record.
    """
    candles = market.history(context.cache)
    if candles.newest is None or market.newest_origin(context.cache) is not None:
        return None
    origin = candles.newest
    forecast = context.cache.keep(RAW_KLINES, "first forecast", lambda: _computed(context, origin))
    return result_of(context, question, forecast, candles, travelled=False) if forecast else None


def _computed(context: Context, origin: dt.date) -> Forecast | None:
    from btc_assets.modeling.baselines import REACH, baseline_forecasts

    klines = market.candles(context.cache).filter(pl.col("date") >= origin - REACH * DAY)
    try:
        rows = baseline_forecasts(klines, [origin]).filter(pl.col("model") == STRONGEST)
    except ModelError:
        return None
    return market.forecast_of(rows.with_columns(issued_at=context.now()), computed=True)
