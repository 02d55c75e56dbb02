"""How the price moved in the past, in units of the volatility of its time: what paths are shaped after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import HORIZONS
from btc_assets.errors import NotEnoughHistory
from btc_assets.modeling.anchor import CASCADE, WARM_UP, cascade_weights
from btc_assets.modeling.history import Floats, History, window_mean

BLOCK = 21
"""Consecutive past days that stay together. Whole weeks, so that weekdays stay weekdays."""

DAYS = 1460
"""Days up to the origin that blocks are taken from."""

REACH = DAYS + max(CASCADE)
"""Days up to the origin that are read at most."""

FEWEST = 50
"""Blocks without which no paths are made."""

SEED = 1
"""Of the draw of blocks. ``numpy.random.RandomState`` gives the same draws in every version of NumPy."""


@dataclass(frozen=True, eq=False)
class Templates:
    """Possible courses of the next days, in log price over volatility [days, count].

    Attributes:
        volatility: expected at the origin for the day after, in log price.
        returns: from the start to each day's close.
        above: from the higher of a day's close and the close before it up to its high, >= 0.
        below: from the lower of the two down to its low, >= 0.
    """

    volatility: float
    returns: Floats
    above: Floats
    below: Floats

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The templates from the lowest return until each day to the highest [days, count]."""
        return np.argsort(self.returns, axis=1, kind="stable")


def templates(h: History, origin: int, count: int, days: int = HORIZONS) -> Templates:
    """Draw ``count`` templates of the next ``days`` from those up to position ``origin``.

    A template is a row of blocks of past days (moving-block bootstrap: Kuensch 1989, Annals of Statistics 17,
    1217-1241), each divided by the volatility that was expected before it. Blocks begin on the weekday that
    follows the origin's. The second half of the templates is the first upside down, so that no trend of the
    past is carried into the future.

    Raises:
        NotEnoughHistory: fewer than ``FEWEST`` blocks without a missing candle, or too few candles in the
            days up to the origin to say what volatility was expected.
    """
    known = slice(max(0, origin + 1 - REACH), origin + 1)
    close, high, low = (np.log(prices[known]) for prices in (h.close, h.high, h.low))
    upper, lower = np.maximum(close[1:], close[:-1]), np.minimum(close[1:], close[:-1])
    moves = np.stack([np.diff(close), np.maximum(high[1:] - upper, 0.0), np.maximum(lower - low[1:], 0.0)])
    expected = _expected_volatility(h.log_variance[known])
    unit, now = expected[:-1], float(expected[-1])
    starts = _starts(moves[:, -DAYS:], unit[-DAYS:]) + max(0, len(unit) - DAYS)
    if len(starts) < FEWEST:
        needed = WARM_UP + BLOCK + 7 * FEWEST
        raise NotEnoughHistory(f"{h.symbol}: chances need {needed} candles before the origin")
    if not np.isfinite(now):
        raise NotEnoughHistory(f"{h.symbol}: chances need two candles of the three days up to the origin")
    half = (count + 1) // 2
    blocks = -(-days // BLOCK)
    drawn = starts[np.random.RandomState(SEED).randint(0, len(starts), size=(blocks, half))]
    place = (drawn[:, None, :] + np.arange(BLOCK)[None, :, None]).reshape(-1, half)[:days]
    drawn_moves = moves[:, place]
    drawn_moves /= np.repeat(unit[drawn], BLOCK, axis=0)[:days]
    returns, above, below = drawn_moves
    np.cumsum(returns, axis=0, out=returns)
    both = ((returns, -returns), (above, below), (below, above))
    return Templates(now, *(np.hstack(pair)[:, :count] for pair in both))


def _starts(moves: Floats, unit: Floats) -> NDArray[np.int64]:
    """Return positions in ``moves`` at which a whole block begins, on the weekday after the last one's."""
    starts = np.arange(len(unit) % 7, len(unit) - BLOCK + 1, 7)
    whole = np.isfinite(moves[:, starts[:, None] + np.arange(BLOCK)]).all(axis=(0, 2))
    return np.asarray(starts[whole & np.isfinite(unit[starts])])


def _expected_volatility(log_variance: Floats) -> Floats:
    """Give the volatility that the anchor would expect from the ranges up to each day; NaN at first."""
    weights = cascade_weights(np.array([1]))[0]
    means = [window_mean(log_variance, days, whole=False) for days in CASCADE]
    expected = np.exp(0.5 * sum(weight * mean for weight, mean in zip(weights, means, strict=True)))
    expected[:WARM_UP] = np.nan
    return np.asarray(expected)
