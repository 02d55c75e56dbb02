from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from btc_assets.market.us_holidays import us_holidays

PUBLISHED = {
    2021: "0101 0118 0215 0402 0531 0705 0906 1125 1224",
    2022: "0117 0221 0415 0530 0620 0704 0905 1124 1226",
    2023: "0102 0116 0220 0407 0529 0619 0704 0904 1123 1225",
    2026: "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225",
}
"""The exchange's own calendars (nyse.com), month and day."""


def test_the_rules_give_the_calendars_that_the_exchange_published() -> None:
    for year, days in PUBLISHED.items():
        assert " ".join(f"{day:%m%d}" for day in sorted(us_holidays(year))) == days


def test_a_closure_decided_at_short_notice_is_no_holiday() -> None:
    assert dt.date(2025, 1, 9) not in us_holidays(2025)  # a day of mourning, announced on 30 December 2024


@given(st.integers(1990, 2100))
def test_holidays_are_weekdays_of_their_year(year: int) -> None:
    found = us_holidays(year)
    assert 8 <= len(found) <= 10
    assert all(day.year == year and day.weekday() < 5 for day in found)
