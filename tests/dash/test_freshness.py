from __future__ import annotations

import datetime as dt

import pytest

from btc_dash.data.freshness import Age, judge

DAY = dt.date(2026, 11, 21)
HOURS = dt.timedelta(hours=3)


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("now", "age"),
    [
        (at(22, 0, 1), Age.FRESH),
        (at(22, 23, 59), Age.FRESH),
        (at(23, 3, 0), Age.FRESH),
        (at(23, 3, 1), Age.STALE),
        (at(25, 3, 0), Age.STALE),
        (at(25, 3, 1), Age.VERY_STALE),
    ],
)
def test_data_ages_from_the_moment_the_next_day_was_due(now: dt.datetime, age: Age) -> None:
    assert judge(DAY, now, HOURS).age is age


def test_without_data_there_is_no_age() -> None:
    assert judge(None, at(22, 0), HOURS).age is Age.NONE


def test_a_clock_that_runs_behind_gives_no_negative_age() -> None:
    fresh = judge(DAY, at(21, 20), HOURS)
    assert fresh.since == dt.timedelta(0)
    assert fresh.missing_days == 0
