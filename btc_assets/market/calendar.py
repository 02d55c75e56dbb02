"""Days as this project means them: UTC calendar days, from the pair's first candle on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

FIRST_DAY = dt.date(2017, 8, 17)
"""The first BTCUSDT candle on Binance; no partition lies before it."""

DAY = dt.timedelta(days=1)

SUNDAY = 6
"""By ``date.weekday``, where Monday is 0."""


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a bar is: Binance's name for it, and its length, of which a day is a multiple."""

    name: str
    step: dt.timedelta

    @property
    def bars_a_day(self) -> int:
        """How many of them a whole day has."""
        return DAY // self.step


DAILY = Interval("1d", DAY)
FOUR_HOURS = Interval("4h", dt.timedelta(hours=4))


def opens_at(day: dt.date) -> dt.datetime:
    """Return the instant (UTC) at which ``day`` begins."""
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def closes_at(day: dt.date) -> dt.datetime:
    """Return the instant (UTC) at which ``day`` is over and its candle final: the next midnight.

    Examples:
        >>> closes_at(dt.date(2024, 2, 29)).isoformat()
        '2024-03-01T00:00:00+00:00'
    """
    return opens_at(day + DAY)


def last_closed_day(now: dt.datetime) -> dt.date:
    """Return the newest day that is over at ``now`` (time zone aware)."""
    return now.astimezone(dt.UTC).date() - DAY


def days(start: dt.date, end: dt.date) -> Iterator[dt.date]:
    """Return the days of the half-open range [start, end), in order."""
    for ordinal in range(start.toordinal(), end.toordinal()):
        yield dt.date.fromordinal(ordinal)
