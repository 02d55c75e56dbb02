"""What holds for every candle that a parser may let through."""

from __future__ import annotations

from btc_assets.market.calendar import opens_at
from btc_assets.market.kline import Kline


def assert_true(kline: Kline) -> None:
    """It can be true."""
    assert 0 < kline.low <= min(kline.open, kline.close)
    assert max(kline.open, kline.close) <= kline.high < 1e15
    assert 0 <= kline.taker_buy_base <= kline.volume < 1e15
    assert 0 <= kline.taker_buy_quote <= kline.quote_volume
    assert kline.trades >= 0
    assert kline.open_time == opens_at(kline.date) < kline.close_time
