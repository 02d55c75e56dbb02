"""Which day an event means; what is garbage."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_image.event import EventError, Order, order_of

SCHEDULER = {
    "version": "0",
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "Scheduled Event",
    "source": "aws.scheduler",
    "account": "000000000000",
    "time": "2025-07-01T00:05:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:scheduler:eu-central-1:000000000000:schedule/default/ingest"],
    "detail": "{}",
}


@pytest.mark.parametrize("source", ["aws.scheduler", "aws.events"])
def test_L3_the_day_is_the_one_that_was_over_when_the_event_was_due(source: str) -> None:
    assert order_of(SCHEDULER | {"source": source}) == Order(dt.date(2025, 6, 30), launch=True)


@given(st.integers(1502928000 + 86400, 4 * 10**9), st.timezones())
def test_L3_the_time_zone_of_the_event_does_not_matter(seconds: int, zone: dt.tzinfo) -> None:
    instant = dt.datetime.fromtimestamp(seconds, dt.UTC)
    event = SCHEDULER | {"time": instant.astimezone(zone).isoformat()}
    assert order_of(event).day == instant.date() - dt.timedelta(days=1)


def test_a_person_names_the_day_and_may_skip_the_launch() -> None:
    assert order_of({"day": "2020-02-29"}) == Order(dt.date(2020, 2, 29), launch=True)
    assert order_of({"day": "2020-02-29", "launch": False}).launch is False


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "2025-06-30",
        {},
        {"source": "aws.s3", "time": "2025-07-01T00:05:00Z"},
        {"time": "2025-07-01T00:05:00Z"},
        SCHEDULER | {"time": None},
        SCHEDULER | {"time": "yesterday"},
        SCHEDULER | {"time": "2025-07-01T00:05:00"},
        SCHEDULER | {"time": "0001-01-01T00:00:00+14:00"},
        SCHEDULER | {"time": "2017-08-17T00:05:00Z"},
        SCHEDULER | {"time": 1751328300},
        SCHEDULER | {"time": "0001-01-01T00:00:00Z"},
        SCHEDULER | {"time": "9999-12-31T23:59:59Z"},
        {"day": "9999-12-31"},
        {"day": "2262-04-11"},
        {"day": "2025-02-30"},
        {"day": "20250630"},
        {"day": "2025-W26-1"},
        {"day": 7},
        {"day": "2017-08-16"},
        {"day": "2025-06-30", "launch": "no"},
        SCHEDULER | {"last_call": 1},
    ],
)
def test_L4_garbage_is_refused(event: Any) -> None:
    with pytest.raises(EventError):
        order_of(event)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.dictionaries(st.text(), x) | st.lists(x))
)
def test_L4_nothing_but_our_own_error_comes_of_garbage(event: Any) -> None:
    with pytest.raises(EventError):
        order_of(event)
