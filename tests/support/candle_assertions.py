"""Assertion about every candle that a parser may return."""

from __future__ import annotations

from btc_assets.market.calendar import opens_at
from btc_assets.market.kline import Kline


def assert_valid(kline: Kline) -> None:
    """Assert that prices, volumes and times of ``kline`` are consistent."""
    assert 0 < kline.low <= min(kline.open, kline.close)
    assert max(kline.open, kline.close) <= kline.high < 1e15
    assert 0 <= kline.taker_buy_base <= kline.volume < 1e15
    assert 0 <= kline.taker_buy_quote <= kline.quote_volume
    assert kline.trades >= 0
    assert kline.open_time == opens_at(kline.date) < kline.close_time
