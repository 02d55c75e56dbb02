"""Tell live forecasts from back-filled ones by when their first target closed."""

from __future__ import annotations

import datetime as dt

import polars as pl

from btc_assets.market.calendar import DAY, closes_at


def deadline(origin: dt.date) -> dt.datetime:
    """Return when the first target of ``origin`` closes (UTC); issued from then on is back-filled."""
    return closes_at(origin + DAY)


def is_live(origin: dt.date, issued_at: dt.datetime) -> bool:
    """Return whether a forecast of ``origin``, issued at ``issued_at`` (UTC), came before its deadline."""
    return issued_at < deadline(origin)


def live_column() -> pl.Expr:
    """Return ``is_live`` as a column ``live`` over a frame's ``origin_date`` and ``issued_at``."""
    closes = (pl.col("origin_date") + pl.duration(days=2)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return (pl.col("issued_at") < closes).alias("live")
