"""Which days of a table are there, and which are missing: decided from its rows, by pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from btc_assets.market.calendar import DAY, closes_at, days, last_closed_day

IN_TIME = dt.timedelta(days=3)
"""A row that was written at most this long after its day closed belongs to a day that was being kept up."""

VERY_LATE = dt.timedelta(hours=48)
"""How long after it was due a day counts as very late."""


class Age(StrEnum):
    """How old the newest day of a table is, from best to worst."""

    FRESH = "fresh"
    LATE = "stale"
    VERY_LATE = "very stale"
    NONE = "no data"


@dataclass(frozen=True)
class TableDays:
    """The days of one table (UTC).

    ``begins`` is the first day that is kept up; None for a table without rows, which lacks nothing: how far
    back to begin is a person's choice. ``due`` is the newest day that must be there by now.
    """

    name: str
    present: frozenset[dt.date]
    begins: dt.date | None
    due: dt.date
    excused: frozenset[dt.date] = frozenset()
    """Days that need no row: the day has no candle, or nothing can be derived from it."""
    optional: bool = False
    """Whether the table may do without any row: what fills it is switched off."""
    kept_up: bool = True
    """Whether a day was written in time. If none: a person filled in old days, or the newest were lost."""

    @cached_property
    def newest(self) -> dt.date | None:
        """The newest day with a row."""
        return max(self.present, default=None)

    @cached_property
    def missing(self) -> list[dt.date]:
        """The days from ``begins`` to ``due`` that must be there and are not, oldest first."""
        if self.begins is None:
            return []
        needless = self.present | self.excused
        return [d for d in days(self.begins, self.due + DAY) if d not in needless]


def kept_up_since(present: Collection[dt.date], in_time: Collection[dt.date]) -> dt.date | None:
    """Return the first day of what is being kept up; None without any day.

    That is the beginning of the first contiguous block in which a day was written in time. One old day, or
    an old year, that a person had filled in later is no reason to fill everything since. Where no day was
    written in time (a history that was loaded at once and then lost its end), the newest block counts.
    """
    found = blocks(present)
    if not found:
        return None
    punctual = set(in_time)
    kept = [block for block in found if any(day in punctual for day in days(block[0], block[1] + DAY))]
    return kept[0][0] if kept else found[-1][0]


def blocks(present: Iterable[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each contiguous block of days, oldest first."""
    found: list[tuple[dt.date, dt.date]] = []
    for day in sorted(set(present)):
        if found and found[-1][1] + DAY == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def due_day(now: dt.datetime, allowed: dt.timedelta) -> dt.date:
    """Return the newest day that must be there at ``now``: it closed at least ``allowed`` ago."""
    return last_closed_day(now - allowed)


def age_of(table: TableDays, now: dt.datetime, allowed: dt.timedelta) -> Age:
    """Name the age of a table: late as soon as a day is missing, very late by how long the newest is old."""
    if table.newest is None:
        return Age.NONE
    if not table.missing:
        return Age.FRESH
    late = now - closes_at(table.newest) - DAY - allowed
    return Age.LATE if late <= VERY_LATE else Age.VERY_LATE
