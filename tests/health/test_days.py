"""What is missing is decided from the days in the tables, and catching up begins at what was kept up."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.health.missing_days import Age, TableDays, age_of, blocks, due_day, kept_up_since
from btc_assets.market.calendar import DAY, days

TODAY = dt.date(2026, 11, 24)
THREE_HOURS = dt.timedelta(hours=3)


def span(first: str, last: str) -> set[dt.date]:
    return set(days(dt.date.fromisoformat(first), dt.date.fromisoformat(last) + DAY))


def of(present: set[dt.date], in_time: set[dt.date], due: dt.date = TODAY) -> TableDays:
    return TableDays("raw_klines", frozenset(present), kept_up_since(present, in_time), due)


def test_one_old_day_backfilled_does_not_ask_for_everything_since() -> None:
    recent = span("2026-10-26", "2026-11-24")
    found = of(recent | {dt.date(2026, 9, 1)}, {TODAY})
    assert found.begins == dt.date(2026, 10, 26)
    assert found.missing == []


def test_the_days_of_a_long_table_are_joined_once_not_once_a_day() -> None:
    joins = []

    class Counted(frozenset[dt.date]):
        def __or__(self, other: frozenset[Any]) -> frozenset[Any]:  # type: ignore[override]
            joins.append(other)
            return frozenset.__or__(self, other)

    begins = TODAY - 100 * DAY
    found = TableDays("raw_klines", Counted({begins}), begins, TODAY)
    assert len(found.missing) == 100
    assert len(joins) <= 1


def test_a_first_start_that_was_off_for_three_days_is_caught_up() -> None:
    """Thirty days at once, then nothing for three days, then the schedule runs the newest day first."""
    found = of(span("2026-10-22", "2026-11-20") | {TODAY}, {dt.date(2026, 11, 20), TODAY})
    assert found.missing == sorted(span("2026-11-21", "2026-11-23"))


def test_a_history_that_lost_its_end_is_missing_that_end() -> None:
    """As after a torn log entry: no day that is left was written in time."""
    found = of(span("2017-08-17", "2025-10-01"), set())
    assert found.begins == dt.date(2017, 8, 17)
    assert found.missing == sorted(span("2025-10-02", "2026-11-24"))


def test_a_table_without_rows_lacks_nothing() -> None:
    found = of(set(), set())
    assert found.begins is None
    assert found.newest is None
    assert found.missing == []


def test_an_excused_day_is_not_missing() -> None:
    gap = dt.date(2026, 11, 10)
    present = span("2026-11-01", "2026-11-24") - {gap}
    whole = TableDays("forecasts", frozenset(present), min(present), TODAY, frozenset({gap}))
    assert whole.missing == []


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_whatever_is_there_nothing_before_the_beginning_is_asked_for(
    there: set[int], timely: set[int]
) -> None:
    first = TODAY - 200 * DAY
    present = {first + n * DAY for n in there}
    found = of(present, {first + n * DAY for n in timely} & present)
    asked = set(found.missing)
    assert not asked & present
    if found.begins:
        assert min(asked, default=TODAY) >= found.begins
        assert asked | present >= set(days(found.begins, TODAY + DAY))
        assert found.begins - DAY not in present


@given(st.sets(st.integers(0, 60)))
def test_blocks_are_the_days_again(there: set[int]) -> None:
    present = {TODAY + n * DAY for n in there}
    assert {d for a, b in blocks(present) for d in days(a, b + DAY)} == present


@pytest.mark.parametrize(
    ("now", "age"),
    [("2026-11-25T23:59", Age.FRESH), ("2026-11-26T02:59", Age.FRESH), ("2026-11-26T03:00", Age.LATE),
     ("2026-11-28T03:01", Age.VERY_LATE)],
)  # fmt: skip
def test_a_day_is_late_from_the_moment_on_at_which_the_next_is_due(now: str, age: Age) -> None:
    at = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    table = TableDays("t", frozenset({TODAY}), TODAY, due_day(at, THREE_HOURS))
    assert age_of(table, at, THREE_HOURS) is age
    assert bool(table.missing) == (age is not Age.FRESH)


def test_without_a_day_there_is_no_age() -> None:
    nothing = TableDays("t", frozenset(), None, TODAY)
    assert age_of(nothing, dt.datetime.now(dt.UTC), THREE_HOURS) is Age.NONE
