"""Two clocks decide what is live; one that cannot vouch for the time says so."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.errors import LedgerError
from btc_assets.ledger.clock import TOLERANCE, Clock, issue_time, kind_of
from btc_assets.market.issue_timing import deadline
from btc_assets.market.sources.simulated import Simulated

D = dt.date(2024, 2, 28)
DEADLINE = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


class Files:
    """A source that has no clock, only the end of its newest day."""

    name, has_clock, simulated = "archive", False, False

    def klines(self, symbol: str, start: dt.date, end: dt.date) -> list:
        return []

    def now(self) -> dt.datetime:
        return dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def test_both_clocks_are_read_in_utc() -> None:
    tokyo = dt.timezone(dt.timedelta(hours=9))
    clock = Clock.read(Simulated(lambda: dt.datetime.now(tokyo)))
    assert clock.source.tzinfo == dt.UTC
    assert clock.skew < dt.timedelta(seconds=5)
    assert clock.note() == ""


def test_files_have_no_clock_and_the_record_says_so() -> None:
    clock = Clock.read(Files())
    assert clock.source == clock.local
    assert "this machine's alone" in clock.note()


def test_C6_the_deadline_of_a_leap_day_is_a_calendar_day_later() -> None:
    assert deadline(D) == DEADLINE


@given(st.integers(-400, 400), st.integers(-400, 400))
def test_live_needs_both_clocks_before_the_deadline_and_close_together(local: int, source: int) -> None:
    minutes = dt.timedelta(minutes=1)
    clock = Clock(DEADLINE + local * minutes, DEADLINE + source * minutes)
    try:
        kind = kind_of(D, clock.now, clock)
    except LedgerError:
        assert clock.skew > TOLERANCE
        assert min(local, source) < 0
        return
    assert kind == ("live" if max(local, source) < 0 else "back-filled")
    if kind == "live":
        assert clock.skew <= TOLERANCE


def test_time_never_goes_back_by_much() -> None:
    clock = Clock(DEADLINE, DEADLINE)
    assert issue_time(clock, None) == DEADLINE
    assert issue_time(clock, DEADLINE - TOLERANCE) == DEADLINE
    assert issue_time(clock, DEADLINE + TOLERANCE) == DEADLINE + TOLERANCE
    with pytest.raises(LedgerError, match="btc ledger restart"):
        issue_time(clock, DEADLINE + TOLERANCE + dt.timedelta(seconds=1))
