"""The simulated market as the graph would hold it: what a forecaster is tried on, alike on every machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from btc_assets.forecasters.market_data import MarketData
from btc_assets.forecasters.protocol import FEATURES
from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, FOUR_HOURS, closes_at
from btc_assets.market.sources.simulated import Simulated
from btc_assets.modeling.features import engineer
from btc_assets.series import BARS, CANDLES, SERIES
from btc_assets.storage.bitemporal import klines_frame

SYMBOL = "BTCUSDT"


def simulated_data(names: Collection[str], end: dt.date) -> MarketData:
    """Return simulated candles of [2017-08-17, ``end``), and the series called ``names``.

    A series that the simulated market does not have is empty, as it may be in a store.
    """
    now = closes_at(end - DAY)
    market = Simulated(clock=lambda: now)
    rows = {series.name: series.newest.empty() for series in SERIES}
    wanted = {CANDLES: DAILY} | ({BARS: FOUR_HOURS} if {BARS.name, FEATURES} & set(names) else {})
    for series, interval in wanted.items():
        klines = market.klines(SYMBOL, FIRST_DAY, end, interval)
        rows[series.name] = klines_frame(klines, now, series.newest)
    if FEATURES in names:
        rows[FEATURES] = engineer(rows)
    return MarketData(rows[CANDLES.name], {name: rows[name] for name in names})
