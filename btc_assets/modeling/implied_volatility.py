"""What options say of the days ahead, day by day, as the log of a day's volatility."""

from __future__ import annotations

import numpy as np
import polars as pl

from btc_assets.modeling.history import EPOCH, Floats, History, day_numbers

DAYS_A_YEAR = 365
"""Bitcoin trades every day: a year's variance is that of 365 days."""


def log_implied(rows: pl.DataFrame, h: History) -> Floats:
    """Compute ``ln(volatility / 100 / sqrt(365))`` of each day; NaN where it was not known.

    ``rows`` are of RAW_IMPLIED_VOLATILITY, of the symbol of ``h``; those of days that it lacks are not read.
    """
    place = day_numbers(rows) - (h.first - EPOCH).days
    inside = (place >= 0) & (place < len(h))
    values = np.full(len(h), np.nan)
    percent = rows["volatility"].to_numpy()[inside]
    values[place[inside]] = np.log(percent / 100.0 / np.sqrt(DAYS_A_YEAR))
    return values
