"""Paths of the next 90 days: closes, highs and lows, jointly, with the issued quantiles as marginals."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.chances.marginals import sorted_closes
from btc_assets.chances.templates import REACH, Templates, templates
from btc_assets.market.calendar import DAY
from btc_assets.modeling.history import Floats, History, history

COUNT = 2001
"""Paths behind an answer: with 1 + a multiple of 40 each of the 21 levels falls on a path."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Equally likely ways for the price to go.

    Attributes:
        start: close of the origin, USDT.
        close, high, low: of each day after the origin, USDT [days, paths]; low <= close <= high.
    """

    start: float
    close: Floats
    high: Floats
    low: Floats

    def stretches(self, ends: list[int]) -> Paths:
        """Return the paths by stretches of days instead of days; each ends so many days ahead, in order."""
        begins, days = [0, *ends[:-1]], ends[-1]
        high = np.maximum.reduceat(self.high[:days], begins, axis=0)
        low = np.minimum.reduceat(self.low[:days], begins, axis=0)
        return Paths(self.start, self.close[np.array(ends) - 1], high, low)


def paths(h: History, origin: int, quantiles: Floats, count: int = COUNT) -> Paths:
    """Make the paths of a forecast: a function of its quantiles and of the candles up to its origin alone.

    Templates of the past are reordered onto the issued marginals: at each horizon the path of a template has
    the close whose rank among all is that of the template's own return (the Schaake shuffle: Clark,
    Gangopadhyay, Hay, Rajagopalan and Wilby 2004, J. Hydrometeorology 5, 243-262). A day's high lies as far
    above the higher of its close and the close before as in the template, which counts in the volatility
    expected before it, times the volatility expected now; lows likewise.

    Args:
        h: candles; later ones than ``origin`` are not read.
        origin: position of the origin in ``h``.
        quantiles: issued quantiles of the close, USDT [HORIZONS, 21].

    Raises:
        NotEnoughHistory: too few candles before the origin.
    """
    return shuffled(float(h.close[origin]), templates(h, origin, count), quantiles)


def forecast_paths(klines: pl.DataFrame, origin: dt.date, quantiles: Floats, count: int = COUNT) -> Paths:
    """Make the paths of a forecast from candles as they are stored; those after ``origin`` are not read.

    Raises:
        NotEnoughHistory: no candle of the origin, or too few before it.
    """
    h = history(klines, start=origin - REACH * DAY, end=origin + DAY)
    return paths(h, h.index(origin), quantiles, count)


def shuffled(start: float, shapes: Templates, quantiles: Floats) -> Paths:
    """Reorder ``shapes`` onto the marginals of ``quantiles`` [days, 21], as many days as ``shapes`` have.

    How far highs and lows lie beyond the closes follows from the ranges of the days before, not from the
    width of the forecast: on the days of 2019 to 2022 the width told nothing more about it.
    """
    count = shapes.returns.shape[1]
    marginal = sorted_closes(quantiles, count)
    close = np.empty_like(marginal)
    np.put_along_axis(close, shapes.order, marginal, axis=1)
    before = np.vstack([np.full(count, start), close[:-1]])
    high, low = np.maximum(before, close), np.minimum(before, close)
    up, down = shapes.volatility, -shapes.volatility
    for edge, beyond, unit in ((high, shapes.above, up), (low, shapes.below, down)):
        factor = np.multiply(beyond, unit, out=before)
        edge *= np.exp(factor, out=factor)
    return Paths(start, close, high, low)
