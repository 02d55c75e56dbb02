"""What candles say about each other: duplicates, gaps, outages, jumps."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from candles import DAY, candle
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.errors import BadCandle, HeldCandle
from btc_assets.market.anomalies import distinct, flags, hold_jumps

START = dt.date(2018, 1, 10)
MONTH = [candle(START + i * DAY) for i in range(30)]


@given(st.lists(st.sampled_from(MONTH)))
def test_D5_equal_duplicates_become_one_in_order(klines: list) -> None:
    assert distinct(klines) == sorted(set(klines), key=lambda kline: kline.date)


def test_D5_different_candles_for_one_day_are_refused() -> None:
    with pytest.raises(BadCandle, match="two different candles for BTCUSDT 2018-01-15"):
        distinct([*MONTH, replace(MONTH[5], trades=1001)])


@given(st.sets(st.integers(0, 29)))
def test_D6_every_missing_day_is_flagged_and_none_is_invented(lost: set[int]) -> None:
    klines = [kline for i, kline in enumerate(MONTH) if i not in lost]
    found = flags(klines, START, START + 30 * DAY)
    assert [(flag.date, flag.kind) for flag in found] == [(START + i * DAY, "gap") for i in sorted(lost)]


def test_D7_a_day_of_28_minutes_is_flagged_and_kept() -> None:
    halted = replace(MONTH[29], trades=30, close_time=MONTH[29].open_time + dt.timedelta(minutes=28))
    found = flags([*MONTH[:29], halted], START, START + 30 * DAY)
    assert [(flag.date, flag.kind) for flag in found] == [(halted.date, "cut_short"), (halted.date, "thin")]
    assert "ends at 00:28:00 UTC" in found[0].detail
    assert "30 trades; the median before is 1000" in found[1].detail


def test_volume_at_a_price_that_was_not_traded_is_flagged() -> None:
    odd = replace(MONTH[0], quote_volume=MONTH[0].quote_volume * 1.02)
    assert [flag.kind for flag in flags([odd], START, START + DAY)] == ["mispriced_volume"]


def test_candles_before_the_range_are_only_compared_with() -> None:
    assert flags(MONTH, START + 20 * DAY, START + 30 * DAY) == []


@pytest.mark.parametrize("close", [1000.0, 500.0, 20.0, 10.0])
def test_D10_a_price_that_jumps_is_held(close: float) -> None:
    with pytest.raises(HeldCandle, match=r"2018-02-09 from binance is held: close .* of 2018-02-08"):
        hold_jumps([*MONTH, candle(START + 30 * DAY, close=close)])


def test_D10_a_jump_from_the_stored_candle_before_is_held() -> None:
    with pytest.raises(HeldCandle, match="10 times"):
        hold_jumps([candle(START + DAY, close=1000.0)], before=MONTH[0])


def test_D10_a_person_releases_the_day_and_no_other() -> None:
    jumped = [candle(START + DAY, close=1000.0), candle(START + 2 * DAY, close=1010.0)]
    hold_jumps(jumped, before=MONTH[0], released={START + DAY})
    with pytest.raises(HeldCandle):
        hold_jumps(jumped, before=MONTH[0], released={START + 2 * DAY})


@pytest.mark.parametrize("close", [61.0, 165.0, 499.0, 21.0])
def test_D10_a_wild_day_that_has_happened_passes(close: float) -> None:
    hold_jumps([candle(START + DAY, close=close)], before=MONTH[0])
