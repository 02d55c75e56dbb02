"""Deterministic tables for the pages: candles, forecasts, scores, written through the real store."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    BASELINES,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    LEVELS,
    MEDIAN,
    MODELS,
    NETWORKS,
    QUANTILES,
    RAW_KLINES,
    VINTAGES_IN_FORCE,
)
from btc_assets.market.calendar import DAY, closes_at, opens_at
from btc_assets.storage.delta import DeltaTables

TODAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 2, 5, tzinfo=dt.UTC)
NEWEST = TODAY - DAY
FIRST = NEWEST - dt.timedelta(days=499)
SYMBOL = "BTCUSDT"
_WIDTH = {
    "mlp": 1.0, "lstm": 1.05, "ensemble": 1.02, "last_close": 0.0, "random_walk": 1.15, "mixture_walk": 1.04,
}  # fmt: skip


def closes(count: int, seed: int = 7) -> np.ndarray:
    """``count`` closes with volatility that clusters, ending near 91,000."""
    rng = np.random.default_rng(seed)
    scale, steps = 0.02, np.empty(count)
    for at in range(count):
        scale = 0.94 * scale + 0.06 * abs(rng.standard_normal()) * 0.03
        steps[at] = rng.standard_t(5) * scale * 0.8
    path = np.exp(np.cumsum(steps))
    return path / path[-1] * 91_234.56


def klines(first: dt.date = FIRST, last: dt.date = NEWEST, source: str = "binance") -> pl.DataFrame:
    """Candles of the days ``first`` to ``last``, both included."""
    count = (last - first).days + 1
    close = closes(count)
    rng = np.random.default_rng(11)
    opened = np.concatenate([[close[0] * 0.99], close[:-1]])
    spread = np.abs(rng.standard_normal((2, count))) * 0.008
    volume = 20_000 * (1 + rng.random(count))
    days = [first + dt.timedelta(days=at) for at in range(count)]
    return pl.DataFrame(
        {
            "symbol": [SYMBOL] * count,
            "date": days,
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread[0]),
            "low": np.minimum(opened, close) * (1 - spread[1]),
            "close": close,
            "volume": volume,
            "quote_volume": volume * close,
            "trades": np.full(count, 1_000_000),
            "taker_buy_base": volume / 2,
            "taker_buy_quote": volume * close / 2,
            "open_time": [opens_at(day) for day in days],
            "close_time": [closes_at(day) - dt.timedelta(milliseconds=1) for day in days],
            "source": [source] * count,
            "ingested_at": [closes_at(day) + dt.timedelta(minutes=5) for day in days],
        },
        schema=RAW_KLINES.schema,
    )


def forecasts(
    candles: pl.DataFrame,
    origins: list[dt.date],
    models: tuple[str, ...] = MODELS,
    live_from: dt.date | None = None,
) -> pl.DataFrame:
    """Lognormal fans without drift from each of ``origins``; issued in time from ``live_from`` on."""
    start = dict(zip(candles["date"].to_list(), candles["close"].to_list(), strict=True))
    z = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    horizons = np.arange(1, HORIZONS + 1)
    parts = []
    for origin in origins:
        for name in models:
            width = (
                0.024
                * _WIDTH[name]
                * np.sqrt(horizons)[:, None]
                * (1 + 0.2 * np.sin(origin.toordinal() / 25))
            )
            prices = start[origin] * np.exp(width * z[None, :])
            prices[:, MEDIAN] = start[origin]
            live = live_from is not None and origin >= live_from
            parts.append(
                pl.DataFrame(
                    {
                        "symbol": SYMBOL,
                        "model": name,
                        "origin_date": origin,
                        "horizon": horizons,
                        "target_date": [origin + dt.timedelta(days=int(h)) for h in horizons],
                        **{column: prices[:, at] for at, column in enumerate(QUANTILES)},
                        "vintage": origin - dt.timedelta(days=origin.toordinal() % 7),
                        "issued_at": closes_at(origin) + dt.timedelta(minutes=6)
                        if live
                        else closes_at(NEWEST),
                    },
                    schema_overrides=dict(FORECASTS.schema),
                ).select(FORECASTS.schema.names())
            )
    return pl.concat(parts) if parts else FORECASTS.empty()


def scores(candles: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """How ``rows`` of forecasts did, where the candles tell."""
    actual = candles.select(target_date="date", close="close")
    start = candles.select(origin_date="date", start="close")
    joined = rows.join(actual, on="target_date").join(start, on="origin_date")
    if joined.is_empty():
        return FORECAST_SCORES.empty()
    prices, close = joined.select(QUANTILES).to_numpy(), joined["close"].to_numpy()
    levels = np.array(LEVELS)
    miss = np.log(close)[:, None] - np.log(prices)
    pinball = np.maximum(levels * miss, (levels - 1) * miss).mean(axis=1)
    pit = [
        float(np.interp(c, row, levels, left=0.01, right=0.99)) for c, row in zip(close, prices, strict=True)
    ]
    inside = {
        f"inside_{share}": (prices[:, low] <= close) & (close <= prices[:, -1 - low])
        for share, low in ((50, 5), (80, 2), (90, 1), (95, 0))
    }
    return joined.select(
        "symbol", "model", "origin_date", "horizon", "target_date", "close",
        absolute_error=(pl.col("q500") - pl.col("close")).abs(),
        absolute_percentage_error=(pl.col("q500") / pl.col("close") - 1).abs(),
        naive_absolute_error=(pl.col("start") - pl.col("close")).abs(),
        pinball=pl.Series(pinball),
        pinball_random_walk=pl.Series(pinball * 1.02),
        **{name: pl.Series(values) for name, values in inside.items()},
        pit=pl.Series(pit),
        live=pl.col("issued_at").dt.date() <= pl.col("target_date"),
    ).select(FORECAST_SCORES.schema.names())  # fmt: skip


def vintages(origins: list[dt.date]) -> pl.DataFrame:
    """A refit every week, one of which was held back."""
    rows = []
    for origin in origins:
        for name in NETWORKS:
            age = origin.toordinal() % 7
            held = age == 0 and name == "lstm" and (origin.toordinal() // 7) % 5 == 0
            rows.append(
                {
                    "symbol": SYMBOL,
                    "model": name,
                    "date": origin,
                    "vintage": origin - dt.timedelta(days=age + (7 if held else 0)),
                    "revision": 0,
                    "manifest_sha256": "0" * 64,
                    "action": "held_back" if held else "fitted" if age == 0 else "carried",
                    "reason": "the new vintage scored worse than the one in force"
                    if held
                    else "refit every 7 days",
                }
            )
    return pl.DataFrame(rows, schema=VINTAGES_IN_FORCE.schema)


def fill(
    root: Path | str, origins: int = 60, live: int = 20, newest: dt.date = NEWEST, source: str = "binance"
) -> DeltaTables:
    """A store with candles to ``newest``, forecasts from the last ``origins`` days, scores and vintages."""
    tables = DeltaTables(str(root))
    candles = klines(newest - dt.timedelta(days=499), newest, source)
    tables.upsert(RAW_KLINES, candles)
    days = [newest - dt.timedelta(days=back) for back in range(origins - 1, -1, -1)]
    live_from = newest - dt.timedelta(days=live - 1)
    issued = forecasts(candles, days, live_from=live_from)
    baselines = forecasts(candles, days, BASELINES, live_from)
    if days:
        tables.upsert(FORECASTS, issued)
        tables.upsert(BASELINE_FORECASTS, baselines)
        tables.upsert(FORECAST_SCORES, scores(candles, pl.concat([issued, baselines])))
        tables.upsert(VINTAGES_IN_FORCE, vintages(days))
    return tables
