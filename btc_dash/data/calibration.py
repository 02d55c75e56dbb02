"""Drift: how often recent prices ended inside the 80 % range, and what chance allows."""

from __future__ import annotations

import math

import polars as pl

from btc_dash.data import track_record
from btc_dash.data.cache import Reader

NOMINAL = 0.8
RECENT = 60
"""Targets that count as recent."""

FEWEST = 20
"""Below this number of targets nothing is said."""

_Z = 2.58
"""Of the two-sided 1 % level."""


def latest(path: pl.DataFrame) -> tuple[int, float, bool] | None:
    """Of ``over_time``'s last row: targets, the share inside the range, whether that is more than chance.

    None with fewer than ``FEWEST`` targets.
    """
    if path.is_empty():
        return None
    count, share, low, high = path.select("count", "share", "low", "high").row(-1)
    return count, share, not low <= share <= high


def over_time(reader: Reader, model: str, horizon: int) -> pl.DataFrame:
    """One row a target with ``FEWEST`` or more up to it: target_date, count, share, low, high.

    ``share`` of the last ``RECENT`` prices ended inside the 80 % range; ``low`` to ``high`` is where it lies
    99 times in 100 if the ranges are right, by the normal approximation to the binomial. Forecasts
    ``horizon`` days ahead overlap, so only every horizon-th counts as independent.
    """
    rows = track_record.at_horizon(reader, horizon).filter(pl.col("model") == model)
    inside = pl.col("inside_80").cast(pl.Float64).rolling_mean(RECENT, min_samples=FEWEST)
    count = pl.int_range(1, pl.len() + 1).clip(upper_bound=RECENT)
    margin = (
        _Z * math.sqrt(NOMINAL * (1 - NOMINAL)) / (pl.col("count") / horizon).clip(lower_bound=1.0).sqrt()
    )
    return (
        rows.select("target_date", count=count, share=inside)
        .drop_nulls()
        .with_columns(low=(NOMINAL - margin).clip(0, 1), high=(NOMINAL + margin).clip(0, 1))
    )
