"""Candles of one symbol on an unbroken calendar, as arrays: what every formula downstream reads.

A day without a candle is a NaN, never an invented value, and drops out of whatever window it falls in.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import HORIZONS
from btc_assets.errors import BadModel, ModelError, NotEnoughHistory
from btc_assets.market.calendar import DAY, SUNDAY
from btc_assets.market.us_holidays import us_holidays

Floats = NDArray[np.float64]

EPOCH = dt.date(1970, 1, 1)

PARKINSON = 1.0 / (4.0 * np.log(2.0))
"""Turns a squared log range into a variance (Parkinson 1980, J. Business 53, 61-65)."""

MOST_MISSING = 0.34
"""Share of a window's days that may lack a candle: a third."""

VARIANCE_FLOOR = 1e-7
"""A day whose high equals its low still has this range variance, so that its log is finite."""

LOG_REALISED = "log_realised_variance"
"""The feature that says how much the price moved within the day."""

LOG_IMPLIED = "log_implied_volatility"
"""The feature that says how much options expect the price to move."""


@dataclass(frozen=True, eq=False)
class History:
    """Candles of consecutive calendar days from ``first`` on; arrays are NaN where there is no candle."""

    symbol: str
    first: dt.date
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    quote_volume: Floats
    log_realised: Floats | None = None
    """Natural log of the day's variance from its 4-hour ranges (the feature ``log_realised_variance``), NaN
    where there are no bars; None where nobody gave it, for what needs no volatility from within the day."""
    log_implied: Floats | None = None
    """Natural log of a day's volatility as options imply it at its close (the feature
    ``log_implied_volatility``), NaN where it was not known; None where nobody gave it."""

    def __len__(self) -> int:
        return len(self.close)

    @property
    def last(self) -> dt.date:
        """The newest day."""
        return self.first + (len(self) - 1) * DAY

    @cached_property
    def log_close(self) -> Floats:
        """Natural log of the close, USDT."""
        return np.asarray(np.log(self.close))

    @cached_property
    def range_variance(self) -> Floats:
        """Parkinson's variance of the day from its log range, floored."""
        return parkinson(self.high, self.low)

    @cached_property
    def log_variance(self) -> Floats:
        """Natural log of ``range_variance``."""
        return np.asarray(np.log(self.range_variance))

    @cached_property
    def returns(self) -> Floats:
        """Log return close to close; the first day's counts from its open."""
        before = np.concatenate([[np.log(self.open[:1])[0]], self.log_close[:-1]])
        return np.asarray(self.log_close - before)

    @cached_property
    def weekday(self) -> NDArray[np.int64]:
        """Day of the week, Monday = 0."""
        return (self.first.weekday() + np.arange(len(self))) % 7

    @cached_property
    def day_kind(self) -> NDArray[np.int64]:
        """Day of the week, Monday = 0, of each day and the ``HORIZONS`` after; US holidays are Sundays."""
        kinds = (self.first.weekday() + np.arange(len(self) + HORIZONS)) % 7
        end = self.first + len(kinds) * DAY
        holidays = chain.from_iterable(us_holidays(year) for year in range(self.first.year, end.year + 1))
        kinds[[(day - self.first).days for day in holidays if self.first <= day < end]] = SUNDAY
        return np.asarray(kinds)

    def index(self, day: dt.date) -> int:
        """Find the position of ``day``.

        Raises:
            NotEnoughHistory: there is no candle of that day.
        """
        i = (day - self.first).days
        if not 0 <= i < len(self) or np.isnan(self.close[i]):
            raise NotEnoughHistory(f"{self.symbol} has no candle of {day}; materialise its raw_klines")
        return i

    def month_start(self, i: int) -> int:
        """Find the position of the first day of day ``i``'s month; 0 if the history begins later."""
        return max(0, i - (self.first + i * DAY).day + 1)


def history(
    klines: pl.DataFrame,
    start: dt.date | None = None,
    end: dt.date | None = None,
    features: pl.DataFrame | None = None,
) -> History:
    """Make arrays of the candles with ``date`` in [start, end); ``klines`` follow the contract RAW_KLINES.

    Args:
        start: first day, or the first there is.
        end: the day after the last, or the last there is.
        features: rows of ENGINEERED_FEATURES, for what reads volatility from within the day.

    Raises:
        ModelError: rows of several symbols, or a day twice; features of an older contract.
        NotEnoughHistory: no row at all.
    """
    chosen = rows_between(klines, start, None if end is None else end - DAY)
    if len(chosen) == 0:
        raise NotEnoughHistory(f"no candle in [{start}, {end}); materialise raw_klines")
    symbols = klines["symbol"][chosen]
    if symbols.n_unique() != 1:
        raise ModelError(f"candles of one symbol are needed, not of {sorted(symbols.unique())}")
    days = day_numbers(klines)[chosen]
    place = days - days.min()
    first, length = EPOCH + int(days.min()) * DAY, int(place.max()) + 1
    if np.bincount(place, minlength=length).max() > 1:
        raise ModelError(f"{symbols[0]}: a day has more than one candle")

    def column(name: str) -> Floats:
        values = np.full(length, np.nan)
        values[place] = klines[name].to_numpy()[chosen]
        return values

    return History(
        symbol=str(symbols[0]),
        first=first,
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        quote_volume=column("quote_volume"),
        log_realised=None if features is None else _feature(features, LOG_REALISED, first, length),
        log_implied=None if features is None else _feature(features, LOG_IMPLIED, first, length),
    )


def _feature(features: pl.DataFrame, name: str, first: dt.date, length: int) -> Floats:
    if name not in features.columns:
        raise BadModel(f"features lack the column {name}; materialise engineered_features again")
    return on_days(features, features[name].to_numpy(), first, length)


def on_days(rows: pl.DataFrame, values: Floats, first: dt.date, length: int) -> Floats:
    """Lay out the ``values`` of ``rows`` by ``date`` [length, ...] from ``first`` on, NaN where none is."""
    place = day_numbers(rows) - (first - EPOCH).days
    inside = (place >= 0) & (place < length)
    laid_out = np.full((length, *values.shape[1:]), np.nan)
    laid_out[place[inside]] = values[inside]
    return laid_out


def parkinson(high: Floats, low: Floats) -> Floats:
    """Estimate the variance of a bar's log return from its log range, floored at ``VARIANCE_FLOOR``.

    Parkinson (1980), J. Business 53, 61-65: ``ln(high / low)^2 / (4 ln 2)``.
    """
    return np.asarray(np.maximum(np.log(high / low) ** 2 * PARKINSON, VARIANCE_FLOOR))


def day_numbers(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Return the ``date`` of each row as days since ``EPOCH``."""
    return rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)


def rows_between(rows: pl.DataFrame, first: dt.date | None, last: dt.date | None) -> NDArray[np.intp]:
    """Find the positions of the rows with ``date`` in [first, last], in their order; None: no limit.

    In NumPy: a web request makes a handful of such choices, and a Polars query each would take longer than
    the forecast itself.
    """
    days = day_numbers(rows)
    inside = np.ones(len(days), dtype=bool)
    if first is not None:
        inside &= days >= (first - EPOCH).days
    if last is not None:
        inside &= days <= (last - EPOCH).days
    return np.flatnonzero(inside)


def window_mean(values: Floats, width: int, *, whole: bool = True) -> Floats:
    """Compute the mean of the ``width`` values up to and with each position.

    Days without a candle are left out; a window that lacks more than ``MOST_MISSING`` of its days has
    no mean (NaN). So has one that reaches before the first day, unless ``whole`` is false: then it is
    the mean of the days there are.

    Sums are built by doubling (of 1, 2, 4, ... days) in the same order at every position, so the result at
    a day depends on its window alone, to the last bit; a cumulative sum would carry the past along.
    """
    missing = np.isnan(values)
    days = np.minimum(float(width), np.arange(1.0, len(values) + 1.0))
    if missing.any():
        present = _window_sum(np.where(missing, 0.0, 1.0), width)
        total = _window_sum(np.where(missing, 0.0, values), width)
    else:
        present, total = days, _window_sum(values, width)
    enough = present >= np.maximum(days * (1.0 - MOST_MISSING), 1.0)
    if whole:
        enough[: width - 1] = False
    return np.where(enough, total / np.where(enough, present, 1.0), np.nan)


def _window_sum(values: Floats, width: int) -> Floats:
    """Sum of the ``width`` values up to and with each position; days before the first count as 0."""
    total, doubled, reach = np.zeros(len(values)), values, 0
    while True:
        span = 1 << reach
        if width & span:
            taken = width & (span - 1)
            total[taken:] += doubled[: len(values) - taken] if taken < len(values) else 0.0
        if span * 2 > width:
            return total
        following = doubled.copy()
        following[span:] += doubled[: max(len(values) - span, 0)]
        doubled, reach = following, reach + 1
