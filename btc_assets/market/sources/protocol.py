"""What every market-data source offers: closed, checked candles for a range of days."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from btc_assets.market.calendar import DAILY, Interval
from btc_assets.market.kline import Kline


class KlineSource(Protocol):
    """A place candles come from. It returns closed candles only and never invents one."""

    name: str

    has_clock: bool
    """Whether ``now`` is a running clock; files have none: theirs is the end of their newest day."""

    @property
    def simulated(self) -> bool:
        """Whether the candles are made up; such data is labelled and kept apart everywhere."""

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return the closed candles of the days in [start, end), in order, each checked.

        A day without a candle (not closed yet, or never traded) is absent from the result. With another
        ``interval`` the bars of the days that are closed; a bar that was never traded, or that the source
        does not hold, is absent.

        Raises:
            SourceUnavailable, SourceBanned, SourceRefused, BadCandle: see ``btc_assets.errors``.
        """

    def first_day(self, symbol: str) -> dt.date | None:
        """Return the day of the pair's first candle; None where the source has none.

        Raises:
            SourceUnavailable, SourceBanned, SourceRefused, BadCandle: see ``btc_assets.errors``.
        """

    def now(self) -> dt.datetime:
        """Return the source's own clock (UTC), by which a candle is closed or not."""
