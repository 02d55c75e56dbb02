"""Holidays of the New York Stock Exchange by rule: known years ahead, so in them is nothing of the future."""

from __future__ import annotations

import datetime as dt
from functools import cache

from dateutil.easter import easter
from dateutil.relativedelta import MO, TH, relativedelta

from btc_assets.market.calendar import DAY

JUNETEENTH_SINCE = 2022
"""First year in which the exchange kept 19 June."""


@cache
def us_holidays(year: int) -> frozenset[dt.date]:
    """Return the weekdays of ``year`` on which the exchange is closed by its rules (NYSE Rule 7.2).

    Closures that were decided at short notice (storms, days of mourning) are left out on purpose: on the day
    of a forecast they may not have been known.

    >>> sorted(us_holidays(2024))[0], len(us_holidays(2024))
    (datetime.date(2024, 1, 1), 10)
    """
    rules = {
        dt.date(year, 1, 1) + relativedelta(weekday=MO(3)),
        dt.date(year, 2, 1) + relativedelta(weekday=MO(3)),
        easter(year) - 2 * DAY,
        dt.date(year, 5, 31) + relativedelta(weekday=MO(-1)),
        dt.date(year, 9, 1) + relativedelta(weekday=MO(1)),
        dt.date(year, 11, 1) + relativedelta(weekday=TH(4)),
    }
    fixed = [(1, 1), (7, 4), (12, 25), *([(6, 19)] if year >= JUNETEENTH_SINCE else [])]
    return frozenset(rules | {observed for m, d in fixed if (observed := _observed(dt.date(year, m, d)))})


def _observed(day: dt.date) -> dt.date | None:
    """Return the weekday on which a holiday is kept; New Year's Day on a Saturday is not kept at all."""
    if day.weekday() == 6:
        return day + DAY
    if day.weekday() == 5:
        return None if (day.month, day.day) == (1, 1) else day - DAY
    return day
