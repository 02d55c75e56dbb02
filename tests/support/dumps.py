"""Binance's public dumps of a simulated market, on disk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from candles import write_dump

from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, FOUR_HOURS, Interval
from btc_assets.market.sources.dumps import monthly
from btc_assets.market.sources.simulated import Simulated
from btc_assets.market.wire_format import to_row


def write_dumps(
    root: Path, last: dt.date, intervals: Sequence[Interval] = (DAILY, FOUR_HOURS), first: dt.date = FIRST_DAY
) -> Path:
    """Monthly dumps from the month of ``first`` to ``last`` (the end of a month), in ``root``."""
    market = Simulated(lambda: dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    for interval in intervals:
        klines = market.klines("BTCUSDT", first, last + DAY, interval)
        for month, some in groupby(klines, key=lambda kline: kline.date.replace(day=1)):
            lines = [",".join(str(field) for field in to_row(kline)) for kline in some]
            write_dump(root, monthly("BTCUSDT", month, interval), lines)
    return root
