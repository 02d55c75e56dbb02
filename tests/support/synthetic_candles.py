"""Candles whose volatility clusters, made from a seed; and hyper-parameters that fit in a second."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H
from btc_assets.market.calendar import DAY, closes_at, opens_at
from btc_assets.market.calendar import days as days_between
from btc_assets.modeling.features import engineer
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.series import BARS, CANDLES

FIRST = dt.date(2017, 8, 17)

TINY = {
    "mlp": HyperParameters("mlp", units=3, epochs=2, seeds=2, batch=256),
    "lstm": HyperParameters("lstm", units=2, window=4, epochs=1, seeds=2, batch=256),
}


def candle_frame(symbol: str, dates: list[dt.date], volume: np.ndarray, **columns: Any) -> pl.DataFrame:
    """Rows of RAW_KLINES of ``dates``; takers bought a half, each is ingested as its day closes."""
    count, close = len(dates), columns["close"]
    given = {
        "symbol": [symbol] * count,
        "date": dates,
        "volume": volume,
        "quote_volume": volume * close,
        "taker_buy_base": volume / 2,
        "taker_buy_quote": volume * close / 2,
        "open_time": [opens_at(day) for day in dates],
        "close_time": [closes_at(day) - dt.timedelta(milliseconds=1) for day in dates],
        "ingested_at": [closes_at(day) for day in dates],
    } | columns
    repeated = {name: value if np.ndim(value) else [value] * count for name, value in given.items()}
    return pl.DataFrame({name: repeated[name] for name in RAW_KLINES.schema}).cast(dict(RAW_KLINES.schema))


def candles(days: int, seed: int = 7, symbol: str = "BTCUSDT", first: dt.date = FIRST) -> pl.DataFrame:
    """``days`` rows of RAW_KLINES from ``first`` on; more days extend the same path."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, size=(4000, 3))[:days]
    log_volatility = np.zeros(days)
    for i in range(1, days):
        log_volatility[i] = 0.95 * log_volatility[i - 1] + 0.15 * shocks[i, 0]
    volatility = 0.03 * np.exp(np.clip(log_volatility, -2, 2))
    steps = np.clip(volatility * shocks[:, 1], -0.3, 0.3)
    close = 8000 * np.exp(np.cumsum(steps))
    opened = np.concatenate([[8000.0], close[:-1]])
    reach = volatility * (0.2 + np.abs(shocks[:, 2]))
    high, low = np.maximum(opened, close) * np.exp(reach), np.minimum(opened, close) * np.exp(-reach)
    dates = [first + dt.timedelta(days=i) for i in range(days)]
    volume = 1000 * np.exp(log_volatility)
    prices = {"open": opened, "high": high, "low": low, "close": close}
    last = opens_at(dates[-1]) if dates else None
    return candle_frame(symbol, dates, volume, **prices, trades=1000, source="simulated", ingested_at=last)


_REACHES = np.array([1.0, 0.5, 0.3, 0.2, 0.4, 0.25])
"""Of a day's log range, what each of its bars spans; on the next day each is a bar later."""


def bars_of(klines: pl.DataFrame) -> pl.DataFrame:
    """Six 4-hour candles within each candle of ``klines``, a function of it alone: rows of RAW_KLINES_4H."""
    if klines.is_empty():
        return RAW_KLINES_4H.empty()
    turn = klines["date"].dt.ordinal_day().to_numpy()
    parts = []
    for place in range(6):
        reach = pl.Series(_REACHES[(place + turn) % 6])
        high = klines["low"] * ((klines["high"] / klines["low"]).log() * reach).exp()
        opens = klines["open_time"] + dt.timedelta(hours=4 * place)
        part = klines.with_columns(
            open=pl.col("low"),
            high=high,
            close=high,
            open_time=opens,
            close_time=opens + dt.timedelta(hours=4, milliseconds=-1),
            trades=pl.col("trades") // 6,
        )
        amounts = ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote")
        parts.append(part.with_columns(pl.col(name) / 6 for name in amounts))
    return pl.concat(parts).select(RAW_KLINES_4H.schema.names()).sort("date", "open_time")


def features_of(klines: pl.DataFrame) -> pl.DataFrame:
    """Features of ``klines`` and of the bars within them."""
    return engineer({CANDLES.name: klines, BARS.name: bars_of(klines)})


def tiny_space(trial: Any, kind: str) -> HyperParameters:
    """A search space whose networks fit in a second."""
    return dataclasses.replace(TINY[kind], units=trial.suggest_int("units", 2, 3), epochs=1)


def altered_after(klines: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The same candles up to ``day``, and quite different ones after it."""
    later = pl.col("date") > day
    prices = [
        pl.when(later).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name, factor in (("open", 3.0), ("high", 9.0), ("low", 0.2), ("close", 2.0))
    ]
    volumes = [
        pl.when(later).then(pl.col(name) * 7.0 + 1).otherwise(pl.col(name)).alias(name)
        for name in ("volume", "quote_volume")
    ]
    return klines.with_columns(*prices, *volumes)


def steady_candles(
    count: int, first: dt.date = dt.date(2024, 1, 1), symbol: str = "BTCUSDT", **override: object
) -> pl.DataFrame:
    """``count`` daily candles from ``first`` on, each a function of its day alone."""
    rows = []
    for day in days_between(first, first + count * DAY):
        close = 40_000.0 + 37.25 * (37 * day.toordinal() % 101)
        row = {
            "symbol": symbol,
            "date": day,
            "open": close - 10.1,
            "high": close + 55.5,
            "low": close - 60.25,
            "close": close,
            "volume": 1_000.125 + day.day,
            "quote_volume": close * 1_000.0,
            "trades": 900_000 + day.toordinal() % 1000,
            "taker_buy_base": 500.5,
            "taker_buy_quote": close * 499.0,
            "open_time": opens_at(day),
            "close_time": closes_at(day) - dt.timedelta(milliseconds=1),
            "source": "binance",
            "ingested_at": closes_at(day),
        }
        rows.append(row | override)
    return pl.DataFrame(rows, schema=RAW_KLINES.schema)
