"""Tell live forecasts from late and back-filled ones by how long after the close they were issued."""

from __future__ import annotations

import datetime as dt
from typing import Literal, get_args

import polars as pl

from btc_assets.market.calendar import DAY, closes_at

LIVE_HOURS = 24
"""Of records that do not say: all that was issued before the first target closed is live."""

IssueKind = Literal["live", "late", "back-filled"]

ISSUE_KINDS: tuple[IssueKind, ...] = get_args(IssueKind)


def deadline(origin: dt.date) -> dt.datetime:
    """Return when the first target of ``origin`` closes (UTC); issued from then on is back-filled."""
    return closes_at(origin + DAY)


def issue_kind(origin: dt.date, issued_at: dt.datetime, hours: int = LIVE_HOURS) -> IssueKind:
    """Tell what a forecast of ``origin`` is that was issued at ``issued_at`` (UTC).

    Args:
        hours: within how many hours after the close it is live; before the first target closes, late.
    """
    if issued_at >= deadline(origin):
        return "back-filled"
    return "live" if issued_at < closes_at(origin) + dt.timedelta(hours=hours) else "late"


def is_live(origin: dt.date, issued_at: dt.datetime, hours: int = LIVE_HOURS) -> bool:
    """Tell whether a forecast of ``origin`` issued at ``issued_at`` (UTC) is live: see ``issue_kind``."""
    return issue_kind(origin, issued_at, hours) == "live"


def live_column() -> pl.Expr:
    """Return ``is_live`` as a column ``live`` over ``origin_date``, ``issued_at`` and ``live_hours``."""
    closed = (pl.col("origin_date") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return (pl.col("issued_at") < closed + pl.duration(hours="live_hours")).alias("live")


def before_deadline() -> pl.Expr:
    """Return whether the first target was still open, over ``origin_date`` and ``issued_at``."""
    first_target = pl.col("origin_date") + pl.duration(days=2)
    return pl.col("issued_at") < first_target.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
