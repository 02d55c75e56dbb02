"""Forecasts without parameters: last close, random walk, mixture random walk. What any model must beat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import BASELINE_FORECASTS, BASELINES, HORIZONS, LEVELS, MEDIAN, QUANTILES
from btc_assets.errors import NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.empirical_quantiles import rolling_quantiles
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


def last_close(_h: History, positions: Sequence[int]) -> Floats:
    """Return log returns of a price that stays where it is: zeros [positions, HORIZONS, 21]."""
    return np.zeros((len(positions), HORIZONS, len(LEVELS)))


def random_walk(h: History, positions: Sequence[int]) -> Floats:
    """Compute quantiles [positions, HORIZONS, 21] of the log returns of the last 365 days, with drift.

    Args:
        positions: of the origins in ``h``, in order; of one month, so that a step stays small.
    """
    first, last = positions[0], positions[-1]
    past = past_returns(h, last, ALL_HORIZONS, YEAR + last - first)
    return _chosen(rolling_quantiles(past, YEAR), positions)


def mixture_walk(h: History, positions: Sequence[int]) -> Floats:
    """Compute quantiles [positions, HORIZONS, 21] of past log returns over 1, 2 and 3 years, averaged.

    Returns are divided by the weekday factor of the days they span and multiplied by that of the days
    ahead; each window's quantiles are centred on their median, so that the forecast has no drift.

    Args:
        positions: of the origins in ``h``, in order; of one month, whose weekday factors they share.
    """
    first, last = positions[0], positions[-1]
    spans = weekday_spans(weekday_factors(h, h.month_start(last)))
    past = past_returns(h, last, ALL_HORIZONS, max(MIXTURE) + last - first, spans)
    total = np.zeros((HORIZONS, last - first + 1, len(LEVELS)))
    for days in MIXTURE:
        quantiles = rolling_quantiles(past[:, first - last - days :], days)
        total += (quantiles - quantiles[..., [MEDIAN]]) / len(MIXTURE)
    return _chosen(total * spans[:, h.weekday[first : last + 1], None], positions)


def _chosen(quantiles: Floats, positions: Sequence[int]) -> Floats:
    """Return [positions, horizons, levels] of ``quantiles`` [horizons, days from the first to the last]."""
    return np.asarray(quantiles[:, np.array(positions) - positions[0]].swapaxes(0, 1))


def months(h: History, origins: Sequence[dt.date]) -> Iterator[list[int]]:
    """Find the positions of ``origins``, month by month.

    Raises:
        NotEnoughHistory: no candle of an origin, or fewer than ``MIN_HISTORY`` before it.
    """
    positions = sorted(checked(h, origin) for origin in origins)
    for _, month in groupby(positions, h.month_start):
        yield list(month)


def weekday_factors(h: History, end: int, kinds: NDArray[np.int64] | None = None) -> Floats:
    """Estimate the relative variance [7] of weekdays (Monday first) from two years up to position ``end``.

    The geometric mean of the day's range variance over that of its week; the mean factor is 1.
    """
    first = max(7, end - WEEKDAY_DAYS)
    start = max(0, first - 6)
    week = window_mean(h.range_variance[start : end + 1], 7)
    ratio = (h.log_variance[start : end + 1] - np.log(week))[first - end - 1 :]
    weekday = (h.weekday if kinds is None else kinds)[first : end + 1]
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

    By origin, then baseline, then horizon. ``vintage`` is the origin: these models learn afresh each day.
    Only candles up to an origin are read.

    Raises:
        NotEnoughHistory: fewer than ``MIN_HISTORY`` candles before an origin, or none of that day.
    """
    names = [c for c in BASELINE_FORECASTS.schema if c != "issued_at"]
    if not origins:
        return BASELINE_FORECASTS.empty().select(names)
    h = history(klines, start=min(origins) - REACH * DAY, end=max(origins) + DAY)
    makers = dict(zip(BASELINES, (last_close, random_walk, mixture_walk), strict=True))
    parts = []
    for positions in months(h, origins):
        close = h.close[positions][:, None, None]
        prices = {name: close * np.exp(make(h, positions)) for name, make in makers.items()}
        days = [h.first + t * DAY for t in positions]
        parts.append(forecast_rows(h.symbol, days, prices, dict.fromkeys(prices, days)))
    return pl.concat(parts)


def forecast_rows(
    symbol: str,
    origins: Sequence[dt.date],
    prices: Mapping[str, Floats],
    vintages: Mapping[str, Sequence[dt.date]],
) -> pl.DataFrame:
    """Build rows of the contract FORECASTS without ``issued_at``: by origin, model by model as in ``prices``.

    Args:
        origins: the last days whose candles were known.
        prices: by model, quantiles of the close [origins, HORIZONS, 21].
        vintages: by model, the cutoff of what made them, of each origin.
    """
    shape = (len(origins), len(prices), HORIZONS)
    starts = np.array([(origin - EPOCH).days for origin in origins])
    cutoffs = np.array([[(v - EPOCH).days for v in vintages[model]] for model in prices]).T

    def spread(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(np.broadcast_to(values, shape).ravel())

    def dates(values: NDArray[np.int64]) -> NDArray[np.datetime64]:
        return np.asarray(spread(values).astype("datetime64[D]"))

    table = np.stack(list(prices.values()), axis=1).reshape(-1, len(QUANTILES))
    origin = starts[:, None, None]
    return pl.DataFrame(
        [
            pl.Series("symbol", [symbol], dtype=pl.String).new_from_index(0, len(table)),
            pl.Series("model", list(prices))[spread(np.arange(len(prices))[None, :, None])],
            pl.Series("origin_date", dates(origin)),
            pl.Series("horizon", spread(ALL_HORIZONS).astype(np.int16)),
            pl.Series("target_date", dates(origin + ALL_HORIZONS)),
            *(pl.Series(name, table[:, i]) for i, name in enumerate(QUANTILES)),
            pl.Series("vintage", dates(cutoffs[:, :, None])),
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


def checked(h: History, origin: dt.date) -> int:
    """Find the position of ``origin``.

    Raises:
        NotEnoughHistory: no candle of the day, or fewer than ``MIN_HISTORY`` before it.
    """
    t = h.index(origin)
    have = int(np.count_nonzero(~np.isnan(h.close[max(0, t - REACH) : t + 1]))) - 1
    if have < MIN_HISTORY:
        raise NotEnoughHistory(
            f"{h.symbol}: a forecast from {origin} needs {MIN_HISTORY} candles before it, there are {have}"
        )
    return t
