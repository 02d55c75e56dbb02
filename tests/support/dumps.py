"""Binance's public dumps of a simulated market, on disk."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from pathlib import Path

from candles import write_dump

from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.market.rows import to_row
from btc_assets.market.simulated import Simulated


def write_dumps(root: Path, last: dt.date) -> Path:
    """Monthly dumps from the first candle to ``last`` (the end of a month), in ``root``."""
    market = Simulated(lambda: dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    klines = market.klines("BTCUSDT", FIRST_DAY, last + DAY)
    for (year, month), some in groupby(klines, key=lambda k: (k.date.year, k.date.month)):
        lines = [",".join(str(field) for field in to_row(kline)) for kline in some]
        write_dump(root, f"spot/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-{year}-{month:02}.zip", lines)
    return root
