"""Fetch candles of days that must exist; an error says why one does not and when it should."""

from __future__ import annotations

import datetime as dt

from btc_assets.errors import ConfigurationError, NoDataYet
from btc_assets.market.calendar import DAY, FIRST_DAY, closes_at
from btc_assets.market.kline import Kline
from btc_assets.market.sources.protocol import KlineSource


def fetch_days(source: KlineSource, symbol: str, start: dt.date, end: dt.date) -> list[Kline]:
    """Fetch the closed candles of the days [start, end); the newest must exist, earlier gaps may be real.

    Raises:
        ConfigurationError: the range is empty, or begins before the first candle there ever was.
        NoDataYet: the newest day is not closed or not published; says when it should be.
        SourceError: whatever the source raises.
    """
    if start >= end:
        raise ConfigurationError(f"the range from {start} up to {end} holds no day")
    if start < FIRST_DAY:
        raise ConfigurationError(f"{start} lies before {FIRST_DAY}, the first candle on Binance")
    klines = source.klines(symbol, start, end)
    last = end - DAY
    if not klines or klines[-1].date < last:
        raise NoDataYet(_why(source, symbol, klines[-1].date + DAY if klines else start, last))
    return klines


def _why(source: KlineSource, symbol: str, first: dt.date, last: dt.date) -> str:
    which = f"{symbol} {last}" if first == last else f"{symbol} from {first} to {last}"
    now, closes = source.now(), closes_at(last)
    if now < closes:
        return (
            f"no data yet for {which} from {source.name}: by its clock it is {now:%Y-%m-%d %H:%M} UTC; "
            f"expected shortly after {closes:%Y-%m-%d %H:%M} UTC, nothing was written"
        )
    return (
        f"no data yet for {which} from {source.name}, though the day closed at "
        f"{closes:%Y-%m-%d %H:%M} UTC; run it again in a few minutes, nothing was written"
    )
