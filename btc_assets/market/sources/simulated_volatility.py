"""Made-up implied volatility of the simulated market, for demos and tests: labelled, repeatable, not real."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random

from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.market.implied_volatility import ImpliedVolatility, check_volatility
from btc_assets.market.kline import Kline
from btc_assets.market.sources.simulated import Simulated

_DAYS = 30
"""Days of candles behind a value; the first days of the market have none."""
_PREMIUM, _NOISE = 1.1, 0.06
"""Options cost more than what follows is worth, and their prices are not exact."""


class SimulatedVolatility:
    """The source ``simulated``; see `btc_assets.market.implied_volatility.VolatilitySource`."""

    name = "simulated"

    def implied_volatility(self, symbol: str, start: dt.date, end: dt.date) -> list[ImpliedVolatility]:
        """Return the values of [start, end) from a month after the first candle to yesterday."""
        start = max(start, FIRST_DAY + _DAYS * DAY)
        candles = Simulated().klines(symbol, start - (_DAYS - 1) * DAY, end)
        return [self._value(candles[i - _DAYS : i]) for i in range(_DAYS, len(candles) + 1)]

    def _value(self, month: list[Kline]) -> ImpliedVolatility:
        """Make the value of the last day of ``month`` from its ranges, and from a number that the day has."""
        day = month[-1]
        seed = hashlib.sha256(f"{day.symbol} {day.date} options".encode()).hexdigest()
        noise = _NOISE * (2 * random.Random(int(seed, 16)).random() - 1)  # noqa: S311
        variances = [math.log(each.high / each.low) ** 2 / (4 * math.log(2)) for each in month]
        variance = (sum(variances) / _DAYS + variances[-1]) / 2
        volatility = round(100 * math.sqrt(365 * variance) * _PREMIUM * math.exp(noise), 2)
        return check_volatility(ImpliedVolatility(day.symbol, day.date, volatility, self.name))
