"""The whole distribution of the close at each horizon, from the 21 quantiles that were issued."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import LEVELS
from btc_assets.modeling.history import Floats

Booleans = NDArray[np.bool_]


def sorted_closes(quantiles: Floats, count: int) -> Floats:
    """Compute ``count`` closes of each horizon in increasing order, USDT [horizons, count].

    The i-th has the level i / (count - 1): where that is one of the 21 levels, it is the issued quantile.
    Between two levels the log price is linear in the normal score of the level. Beyond 2.5 and 97.5 % the
    tail is exponential in the log price (a power law of the price), as steep as from the level before; the
    two ends stand for a quarter of a step.

    Args:
        quantiles: issued quantiles of the close, non-decreasing, USDT [horizons, 21].
        count: how many, at least 2.
    """
    below, share = _places(count)
    low, closes = quantiles[:, below], quantiles[:, below + 1]
    closes /= low
    np.power(closes, share, out=closes)
    closes *= low
    return np.asarray(np.maximum.accumulate(closes, axis=1, out=closes))


def share_beyond(quantiles: Floats, price: Floats, above: Booleans, count: int) -> Floats:
    """Compute which share of ``sorted_closes`` lies above, or else below, a price [forecasts].

    The closes are in order, so that a bisection finds the share: a dozen of them are computed, not all.

    Args:
        quantiles: issued quantiles of the close, USDT [forecasts, 21].
        price: USDT [forecasts].
        above: whether closes above it count, or else those below [forecasts].
        count: how many closes there are.
    """
    below, share = _places(count)
    rows = np.arange(len(quantiles))
    first, last = np.zeros(len(rows), np.int64), np.full(len(rows), count)
    while (open_ := first < last).any():
        middle = np.minimum((first + last) // 2, count - 1)
        low, high = quantiles[rows, below[middle]], quantiles[rows, below[middle] + 1]
        close = low * (high / low) ** share[middle]
        short = open_ & np.where(above, close <= price, close < price)
        first = np.where(short, middle + 1, first)
        last = np.where(open_ & ~short, middle, last)
    return np.where(above, count - first, first) / count


@lru_cache(maxsize=8)
def _places(count: int) -> tuple[NDArray[np.int64], Floats]:
    """Position of the quantile below each close, and how far on the close lies; < 0 or > 1 in the tails."""
    levels = np.arange(count) / (count - 1)
    levels[0], levels[-1] = 0.25 / (count - 1), 1.0 - 0.25 / (count - 1)
    known = np.array(LEVELS)
    below = np.clip(np.searchsorted(known, levels, side="right") - 1, 0, len(known) - 2)
    score = np.vectorize(NormalDist().inv_cdf)
    knots = score(known)
    share = (score(levels) - knots[below]) / (knots[below + 1] - knots[below])
    steepness = np.log(known[1] / known[0])
    left, right = levels < known[0], levels > known[-1]
    share[left] = -np.log(known[0] / levels[left]) / steepness
    share[right] = 1.0 + np.log((1.0 - known[-1]) / (1.0 - levels[right])) / steepness
    return below, np.asarray(share)
