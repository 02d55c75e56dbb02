"""Which rows can be a forecast at all."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

from btc_assets.contracts import QUANTILES


def impossible(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ``forecasts`` that cannot be one.

    Prices are finite, positive and do not decrease over the levels; the target is the origin and the horizon.
    """
    quantiles = [pl.col(q) for q in QUANTILES]
    ordered = pl.all_horizontal(a <= b for a, b in pairwise(quantiles))
    target = pl.col("origin_date") + pl.duration(days=pl.col("horizon"))
    fine = (
        ordered
        & pl.all_horizontal(q.is_finite() & (q > 0) for q in quantiles)
        & (target == pl.col("target_date"))
        & (pl.col("horizon") >= 1)
    )
    return rows.filter(~fine.fill_null(value=False))
