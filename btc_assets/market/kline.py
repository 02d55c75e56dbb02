"""One candle, of a day or of a part of it, and what must hold for it to be believed."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from btc_assets.errors import BadCandle
from btc_assets.market.calendar import DAILY, DAY, Interval, opens_at

LARGEST = 1e15
"""No price, volume or count of a day reaches this (Binance's busiest days trade 1e11 USDT)."""


@dataclass(frozen=True, slots=True)
class Kline:
    """A closed candle of one symbol: of ``date``, a UTC day, or of the part of it from ``open_time`` on.

    Prices are in the quote currency (USDT), ``volume`` and ``taker_buy_base`` in the base
    currency (BTC), ``quote_volume`` and ``taker_buy_quote`` in USDT; times are UTC.
    ``open_time`` of a daily candle is the day's midnight, and ``close_time`` the exchange's last instant
    of the bar (23:59:59.999 or, when it was cut short by an outage, earlier).
    """

    symbol: str
    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_base: float
    taker_buy_quote: float
    open_time: dt.datetime
    close_time: dt.datetime
    source: str


def check(kline: Kline, interval: Interval = DAILY) -> Kline:
    """Return ``kline``, a bar of length ``interval``, if it can be true.

    Raises:
        BadCandle: a price is not finite and positive, high < max(open, close, low), low > min(...),
            a volume is negative or not finite, takers bought more than was traded, a number is
            absurdly large, or the bar does not lie on its day's grid. The message names the day,
            the field and the value.
    """
    where = f"{kline.symbol} {kline.date} from {kline.source}"
    for name in ("open", "high", "low", "close"):
        value = getattr(kline, name)
        if not (math.isfinite(value) and 0 < value < LARGEST):
            raise BadCandle(f"{where}: {name} = {value!r} is not a finite, positive, plausible price")
    for name in ("volume", "quote_volume", "taker_buy_base", "taker_buy_quote", "trades"):
        value = getattr(kline, name)
        if not (math.isfinite(value) and 0 <= value < LARGEST):
            raise BadCandle(f"{where}: {name} = {value!r} is not a finite, plausible number >= 0")
    if kline.high < max(kline.open, kline.close, kline.low):
        raise BadCandle(f"{where}: high {kline.high} is below open, close or low")
    if kline.low > min(kline.open, kline.close):
        raise BadCandle(f"{where}: low {kline.low} is above open or close")
    if kline.taker_buy_base > kline.volume or kline.taker_buy_quote > kline.quote_volume:
        raise BadCandle(f"{where}: takers bought more than was traded")
    _check_times(kline, interval, where)
    return kline


def _check_times(kline: Kline, interval: Interval, where: str) -> None:
    """Raise unless the bar lies on the grid of its day, and ends in itself.

    A part of a day may end on the instant at which the next begins: Binance's 4-hour bar of 2017-09-06
    12:00 does, after an outage.
    """
    since = kline.open_time - opens_at(kline.date)
    if since % interval.step or not dt.timedelta(0) <= since < DAY:
        grid = (
            "at the day's midnight UTC" if interval == DAILY else f"on the day's {interval.name} grid (UTC)"
        )
        raise BadCandle(f"{where}: opens at {kline.open_time.isoformat()}, not {grid}")
    end = kline.open_time + interval.step
    ends_in_itself = kline.close_time < end or (kline.close_time == end and interval != DAILY)
    if not (kline.open_time < kline.close_time and ends_in_itself):
        its = "its day" if interval == DAILY else f"the {interval.name} that begin at {kline.open_time:%H:%M}"
        raise BadCandle(f"{where}: closes at {kline.close_time.isoformat()}, outside {its}")
