from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_dash.text import formatting as fmt
from btc_dash.text.formatting import SPACE

"""A machine under load is no fault of the code."""


@pytest.mark.parametrize(
    ("value", "shown"),
    [(91234.56, "$91,235"), (999.5, "$999.50"), (1000.0, "$1,000"), (0.0, "$0.00"), (0.081234, "$0.08123")],
)
def test_prices_are_whole_dollars_from_a_thousand_on(value: float, shown: str) -> None:
    assert fmt.usd(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "no change"),
        (-0.0001, "no change"),
        (0.0172, f"+1.7{SPACE}%"),
        (-0.25, f"−25.0{SPACE}%"),
    ],
)
def test_changes_carry_their_sign(share: float, shown: str) -> None:
    assert fmt.signed_percent(share) == shown


@given(st.floats(-5, 5))
def test_no_percentage_is_minus_zero(share: float) -> None:
    assert not fmt.percent(share).startswith("-0 ")


@pytest.mark.parametrize(
    ("hours", "shown"),
    [(0, "just now"), (0.5, "30 min ago"), (2.1, "2 h ago"), (47, "47 h ago"), (49, "2 days ago")],
)
def test_ages_use_the_unit_that_says_enough(hours: float, shown: str) -> None:
    assert fmt.age(dt.timedelta(hours=hours)) == shown


def test_days_read_as_people_write_them() -> None:
    day = dt.date(2026, 11, 1)
    assert (fmt.day(day), fmt.day(day, year=False), fmt.long_day(day)) == (
        "1 Nov 2026", "1 Nov", "Sun 1 November 2026",
    )  # fmt: skip
    assert (fmt.days(1), fmt.days(14)) == ("1 day", "14 days")
