"""Measures of quantile forecasts, as plain functions over arrays, each with its source.

Quantiles are [..., 21] at ``contracts.LEVELS``, observations [...]; both in the same unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import LEVELS

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_LEVELS = np.array(LEVELS)


def pinball(quantiles: Floats, observed: Floats) -> Floats:
    """Return the mean pinball loss over the 21 levels [...].

    Koenker and Bassett (1978), Econometrica 46, 33-50. Twice this mean is the continuous ranked probability
    score on the grid of levels: Laio and Tamea (2007), Hydrol. Earth Syst. Sci. 11, 1267-1277, eq. 5.

    Examples:
        >>> certain = np.full((1, 21), 100.0)
        >>> pinball(certain, np.array([100.0])), pinball(certain, np.array([110.0]))
        (array([0.]), array([5.]))
    """
    error = observed[..., None] - quantiles
    below = _LEVELS * error
    error *= _LEVELS - 1.0  # in place: there may be millions
    return np.asarray(np.maximum(below, error, out=below).mean(axis=-1))


def bounds(nominal: float) -> tuple[int, int]:
    """Find the positions of the levels that bound the central interval of ``nominal`` probability.

    Raises:
        ValueError: no pair of levels does.
    """
    tail = (1.0 - nominal) / 2.0
    low = int(np.argmin(np.abs(_LEVELS - tail)))
    high = int(np.argmin(np.abs(_LEVELS - (1.0 - tail))))
    if abs(_LEVELS[low] - tail) > 1e-9 or abs(_LEVELS[high] - (1.0 - tail)) > 1e-9:
        raise ValueError(f"no two of the 21 levels bound a central {nominal:.1%} interval")
    return low, high


def inside(quantiles: Floats, observed: Floats, nominal: float) -> Booleans:
    """Return whether each observation lies in the central ``nominal`` interval, ends included [...]."""
    low, high = bounds(nominal)
    return np.asarray((observed >= quantiles[..., low]) & (observed <= quantiles[..., high]))


def coverage(quantiles: Floats, observed: Floats, nominal: float) -> float:
    """Compute the share of observations in the central ``nominal`` interval.

    Christoffersen (1998), Int. Econ. Rev. 39, 841-862.
    """
    return float(inside(quantiles, observed, nominal).mean())


def pit(quantiles: Floats, observed: Floats) -> Floats:
    """Compute the probability integral transform [...], 0 to 1: the level at which each observation fell.

    Linear between quantiles; below the first or above the last, the tail's mass is halved (its middle).
    Where quantiles coincide with the observation, the middle of the tied levels. Dawid (1984), J. R.
    Stat. Soc. A 147, 278-292.
    """
    flat = quantiles.reshape(-1, quantiles.shape[-1])
    values = np.asarray(observed, dtype=np.float64).reshape(-1)
    below = (flat < values[:, None]).sum(axis=1)
    not_above = (flat <= values[:, None]).sum(axis=1)
    last = len(LEVELS) - 1
    left, right = np.clip(below - 1, 0, last), np.clip(below, 0, last)
    rows = np.arange(len(values))
    gap = flat[rows, right] - flat[rows, left]
    share = np.where(gap > 0, (values - flat[rows, left]) / np.where(gap > 0, gap, 1.0), 0.0)
    between = _LEVELS[left] + share * (_LEVELS[right] - _LEVELS[left])
    tied = (_LEVELS[np.clip(below, 0, last)] + _LEVELS[np.clip(not_above - 1, 0, last)]) / 2.0
    result = np.where(not_above > below, tied, between)
    result = np.where(not_above == 0, _LEVELS[0] / 2.0, result)
    result = np.where(below == last + 1, (1.0 + _LEVELS[-1]) / 2.0, result)
    return np.asarray(result.reshape(np.shape(observed)))
