"""How much the price moved within each day, from its 4-hour candles.

Six ranges tell a day's volatility better than one (Andersen, Bollerslev, Diebold and Labys 2003, Econometrica
71, 579-625; with ranges in place of returns: Christensen and Podolskij 2007, J. Econometrics 141, 323-349).
Their geometric mean is taken, not the sum, so that one jump counts as one bar of six.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from btc_assets.market.calendar import FOUR_HOURS
from btc_assets.modeling.history import EPOCH, Floats, History, day_numbers, parkinson

BARS_A_DAY = FOUR_HOURS.bars_a_day

FEWEST_BARS = 4
"""A day with fewer usable bars has no realised variance."""

SHORTEST = 3.0
"""Hours; a bar that an outage cut shorter is not used: its small range says nothing about the market."""


def log_realised(bars: pl.DataFrame, h: History) -> Floats:
    """Compute the log of each day's variance: ``ln 6 + mean(ln v)`` over its bars; NaN where too few.

    ``v`` is Parkinson's variance of a bar. A day's value depends on its own bars alone, to the last bit.
    ``bars`` are rows of RAW_KLINES_4H of the symbol of ``h``; those of days that it lacks are not read.
    """
    days = day_numbers(bars) - (h.first - EPOCH).days
    hours = (bars["close_time"] - bars["open_time"]).dt.total_milliseconds().to_numpy() / 3_600_000
    read = (days >= 0) & (days < len(h)) & (hours >= SHORTEST)
    bar = bars["open_time"].dt.hour().to_numpy() // (24 // BARS_A_DAY)
    logs = np.full((len(h), BARS_A_DAY), np.nan)
    variance = parkinson(bars["high"].to_numpy()[read], bars["low"].to_numpy()[read])
    logs[days[read], bar[read]] = np.log(variance)
    count = np.count_nonzero(~np.isnan(logs), axis=1)
    mean = np.nansum(logs, axis=1) / np.maximum(count, 1)
    return np.where(count >= FEWEST_BARS, np.log(BARS_A_DAY) + mean, np.nan)
