"""Empirical quantiles at the levels of a forecast: of each row, and of each run of values in a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import LEVELS
from btc_assets.modeling.history import Floats

_LEVELS = np.array(LEVELS)

FEW_WINDOWS = 4
"""Windows of a row below which sorting each is faster than sorting the row once and counting."""


def quantiles_of(samples: Floats) -> Floats:
    """Compute empirical quantiles [rows, levels] of each row of ``samples``, NaN left out.

    Linear between order statistics (Hyndman and Fan 1996, type 7), as ``numpy.quantile``, by one sort a row.
    """
    ordered = np.sort(samples, axis=1)
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    place = _LEVELS[None, :] * (count[:, None] - 1)
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, count[:, None] - 1), axis=1)
    return np.asarray(low + (high - low) * (place - below))


def rolling_quantiles(samples: Floats, width: int) -> Floats:
    """Compute the quantiles [rows, windows, levels] of every ``width`` consecutive values of each row.

    To the bit those that ``quantiles_of`` gives of each window. Each row is sorted once: what lies in a
    window keeps that order, so its order statistics are found by counting.
    """
    rows, days = samples.shape
    windows = days - width + 1
    if windows < FEW_WINDOWS:
        each = np.lib.stride_tricks.sliding_window_view(samples, width, axis=1).reshape(-1, width)
        return quantiles_of(each).reshape(rows, windows, -1)
    missing = np.isnan(samples)
    last = np.full((1, 1, 1), width - 1)
    if missing.any():
        known = np.cumsum(np.pad(~missing, ((0, 0), (1, 0))), axis=1)
        last = (known[:, width:] - known[:, :windows])[..., None] - 1
    place = _LEVELS * last
    below = np.floor(place).astype(np.int64)
    sought = np.concatenate([below, np.minimum(below + 1, last)], axis=2)
    low, high = np.split(_order_statistics(samples, width, sought), 2, axis=2)
    return np.asarray(low + (high - low) * (place - below))


def _order_statistics(samples: Floats, width: int, sought: NDArray[np.int64]) -> Floats:
    """Return of each window its ``sought``-th smallest values, NaN last [rows, windows, statistics].

    ``sought`` may be one for all [1, 1, statistics].
    """
    rows, days = samples.shape
    windows = days - width + 1
    same = len(sought) < rows
    small = np.min_scalar_type(days)
    order = np.argsort(samples, axis=1).astype(small)
    first = np.arange(windows, dtype=small)[:, None]
    each = np.arange(windows)[:, None]
    found = np.empty((rows, windows, sought.shape[2]))
    for row in range(rows):
        inside = order[row] - first < width  # what lies before the window wraps to a large number
        ranks = np.flatnonzero(inside).reshape(windows, width)
        chosen = ranks[:, sought[0, 0]] if same else ranks[each, sought[row]]
        found[row] = samples[row, order[row]][chosen % days]
    return found
