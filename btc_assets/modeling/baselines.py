"""Forecasts without parameters: last close, random walk, mixture random walk. What any model must beat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import BASELINE_FORECASTS, BASELINES, HORIZONS, LEVELS, MEDIAN, QUANTILES
from btc_assets.errors import NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.history import EPOCH, Floats, History, history, window_mean

YEAR = 365
MIXTURE = (365, 730, 1095)
"""Days of returns that the mixture random walk averages its quantiles over."""

WEEKDAY_DAYS = 730
"""Days of ranges that the weekday factors are estimated from."""

REACH = max(MIXTURE) + HORIZONS
"""Days before an origin that a baseline reads at most (at least as many as the weekday factors need)."""

MIN_HISTORY = 500
"""Candles before an origin without which no baseline is issued."""

ALL_HORIZONS = np.arange(1, HORIZONS + 1)
_LEVELS = np.array(LEVELS)


def last_close(_h: History, _origin: dt.date, horizons: Sequence[int] | None = None) -> Floats:
    """Return log returns of a price that stays where it is: zeros [horizons, 21]."""
    return np.zeros((len(_wanted(horizons)), len(LEVELS)))


def random_walk(h: History, origin: dt.date, horizons: Sequence[int] | None = None) -> Floats:
    """Compute quantiles [horizons, 21] of the h-day log returns of the last 365 days, with drift."""
    t = checked(h, origin)
    return quantiles_of(past_returns(h, t, _wanted(horizons), YEAR))


def mixture_walk(h: History, origin: dt.date, horizons: Sequence[int] | None = None) -> Floats:
    """Compute quantiles [horizons, 21] of past h-day log returns over 1, 2 and 3 years, averaged.

    Returns are divided by the weekday factor of the days they span and multiplied by that of the days
    ahead; each window's quantiles are centred on their median, so that the forecast has no drift.
    """
    t = checked(h, origin)
    wanted = _wanted(horizons)
    spans = weekday_spans(weekday_factors(h, h.month_start(t)))[wanted - 1]
    past = past_returns(h, t, wanted, max(MIXTURE), spans)
    total = np.zeros((len(wanted), len(LEVELS)))
    for days in MIXTURE:
        quantiles = quantiles_of(past[:, -days:])
        total += (quantiles - quantiles[:, [MEDIAN]]) / len(MIXTURE)
    return np.asarray(total * spans[:, [h.weekday[t]]])


def weekday_factors(h: History, end: int) -> Floats:
    """Estimate the relative variance [7] of weekdays (Monday first) from two years up to position ``end``.

    The geometric mean of the day's range variance over that of its week; the mean factor is 1.
    """
    first = max(7, end - WEEKDAY_DAYS)
    start = max(0, first - 6)
    week = window_mean(h.range_variance[start : end + 1], 7)
    ratio = (h.log_variance[start : end + 1] - np.log(week))[first - end - 1 :]
    weekday = h.weekday[first : end + 1]
    known = ~np.isnan(ratio)
    if len(np.unique(weekday[known])) < 7:
        raise NotEnoughHistory(f"weekday factors need two weeks of candles before {h.first + end * DAY}")
    factors = np.exp([ratio[known & (weekday == day)].mean() for day in range(7)])
    return np.asarray(factors / factors.mean())


def weekday_spans(factors: Floats) -> Floats:
    """Compute the scale [horizon, weekday of origin]: root of the mean factor over the days ahead."""
    ahead = factors[(np.arange(7)[None, :] + ALL_HORIZONS[:, None]) % 7]
    return np.asarray(np.sqrt(np.cumsum(ahead, axis=0) / ALL_HORIZONS[:, None]))


def baseline_forecasts(klines: pl.DataFrame, origins: Sequence[dt.date]) -> pl.DataFrame:
    """Forecast with all baselines from ``origins``: the contract BASELINE_FORECASTS without ``issued_at``.

    ``vintage`` is the origin: these models learn afresh each day. Only candles up to an origin are read.

    Raises:
        NotEnoughHistory: fewer than ``MIN_HISTORY`` candles before an origin, or none of that day.
    """
    makers = dict(zip(BASELINES, (last_close, random_walk, mixture_walk), strict=True))
    parts = []
    for origin in origins:
        h = history(klines, start=origin - REACH * DAY, end=origin + DAY)
        close = h.close[h.index(origin)]
        prices = {name: close * np.exp(make(h, origin)) for name, make in makers.items()}
        parts.append(forecast_rows(h.symbol, origin, prices, dict.fromkeys(prices, origin)))
    names = [c for c in BASELINE_FORECASTS.schema if c != "issued_at"]
    return pl.concat(parts) if parts else BASELINE_FORECASTS.empty().select(names)


def forecast_rows(
    symbol: str, origin: dt.date, prices: Mapping[str, Floats], vintages: Mapping[str, dt.date]
) -> pl.DataFrame:
    """Build rows of the contract FORECASTS without ``issued_at``, model by model in the order of ``prices``.

    Args:
        symbol: trading pair.
        origin: the last day whose candle was known.
        prices: by model, quantiles of the close [HORIZONS, 21].
        vintages: by model, the cutoff of what made them.
    """
    count = len(prices) * HORIZONS
    targets = np.tile((origin - EPOCH).days + ALL_HORIZONS, len(prices))
    table = np.concatenate(list(prices.values()))
    return pl.DataFrame(
        [
            pl.Series("symbol", [symbol] * count, dtype=pl.String),
            pl.Series("model", [model for model in prices for _ in ALL_HORIZONS], dtype=pl.String),
            pl.Series("origin_date", [origin] * count, dtype=pl.Date),
            pl.Series("horizon", np.tile(ALL_HORIZONS.astype(np.int16), len(prices))),
            pl.Series("target_date", targets.astype("datetime64[D]")),
            *(pl.Series(name, table[:, i]) for i, name in enumerate(QUANTILES)),
            pl.Series("vintage", [vintages[model] for model in prices for _ in ALL_HORIZONS], dtype=pl.Date),
        ]
    )


def past_returns(
    h: History, t: int, horizons: NDArray[np.int64], days: int, spans: Floats | None = None
) -> Floats:
    """Compute log returns [horizons, days] that ended in the ``days`` days up to position ``t``.

    Oldest first; NaN where a candle is missing or before history. Divided by ``spans`` [horizons, weekday
    of the return's origin] if given. Reads positions <= t only.
    """
    reach = int(horizons.max())
    closes = np.full(days + reach, np.nan)
    known = h.log_close[max(0, t + 1 - len(closes)) : t + 1]
    closes[len(closes) - len(known) :] = known
    windows = np.lib.stride_tricks.sliding_window_view(closes, days)
    past = windows[reach] - windows[reach - horizons]
    if spans is not None:
        week = (h.weekday[t] + np.arange(1 - days, 8 - days)[None, :] - horizons[:, None]) % 7
        past /= np.tile(np.take_along_axis(spans, week, axis=1), -(-days // 7))[:, :days]
    return np.asarray(past)


def quantiles_of(samples: Floats, levels: Floats = _LEVELS) -> Floats:
    """Compute empirical quantiles [rows, levels] of each row of ``samples``, NaN left out.

    Linear between order statistics (Hyndman and Fan 1996, type 7), as ``numpy.quantile``, by one sort a row.
    """
    ordered = np.sort(samples, axis=1)
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    place = levels[None, :] * (count[:, None] - 1)
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, count[:, None] - 1), axis=1)
    return np.asarray(low + (high - low) * (place - below))


def _wanted(horizons: Sequence[int] | None) -> NDArray[np.int64]:
    return ALL_HORIZONS if horizons is None else np.asarray(horizons, dtype=np.int64)


def checked(h: History, origin: dt.date) -> int:
    """Find the position of ``origin``.

    Raises:
        NotEnoughHistory: no candle of the day, or fewer than ``MIN_HISTORY`` before it.
    """
    t = h.index(origin)
    have = int(np.count_nonzero(~np.isnan(h.close[: t + 1]))) - 1
    if have < MIN_HISTORY:
        raise NotEnoughHistory(
            f"{h.symbol}: a forecast from {origin} needs {MIN_HISTORY} candles before it, there are {have}"
        )
    return t
