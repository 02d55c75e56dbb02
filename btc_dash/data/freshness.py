"""Classify how old the data is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from btc_assets.market.calendar import closes_at, last_closed_day


class Age(Enum):
    """How old data is, from best to worst."""

    FRESH = "fresh"
    STALE = "stale"
    VERY_STALE = "very stale"
    NONE = "no data"


VERY_STALE_AFTER = dt.timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Freshness:
    """``newest`` closed day there is data for and how long ago it closed; None without data."""

    age: Age
    newest: dt.date | None
    since: dt.timedelta
    missing_days: int


def judge(newest: dt.date | None, now: dt.datetime, stale_after: dt.timedelta) -> Freshness:
    """Classify the newest day by the clock.

    Data is stale once the day after ``newest`` has been over for ``stale_after``, and very stale
    two days later.
    """
    if newest is None:
        return Freshness(Age.NONE, None, dt.timedelta(0), 0)
    since = now - closes_at(newest)
    late = since - dt.timedelta(days=1) - stale_after
    age = Age.FRESH if late <= dt.timedelta(0) else Age.STALE if late <= VERY_STALE_AFTER else Age.VERY_STALE
    return Freshness(age, newest, max(since, dt.timedelta(0)), max((last_closed_day(now) - newest).days, 0))
