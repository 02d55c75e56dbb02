"""Resample a series in blocks, so that what overlaps in time stays together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from btc_assets.statistics.metrics import Floats

REPLICATES = 1000
"""Resampled series that an interval or a confidence set rests on."""

_SEED = 2011
"""The same losses give the same interval, whoever asks."""

Places = NDArray[np.int64]


def circular_blocks(count: int, block: int, replicates: int = REPLICATES) -> Iterator[Places]:
    """Draw positions 0 to ``count`` - 1 in blocks of ``block`` that wrap around the end; ``count`` at a time.

    Politis and Romano (1992), in LePage and Billard (eds.), Exploring the Limits of Bootstrap, 263-270.
    """
    rng = np.random.default_rng(_SEED)
    for _ in range(replicates):
        starts = rng.integers(count, size=(-(-count // block), 1))
        yield ((starts + np.arange(block)) % count).ravel()[:count]


def resampled_means(values: Floats, drawn: Iterable[Places]) -> Floats:
    """Compute the mean of ``values`` [days, columns] over each draw of positions [draws, columns]."""
    return np.stack([values[places].mean(axis=0) for places in drawn])


def block_length(count: int, horizon: int) -> int:
    """Choose how many days stay together: all that overlap ``horizon`` days ahead, the cube root at least.

    The cube root of the number of days is the rate at which blocks should grow: Hall, Horowitz and Jing
    (1995), Biometrika 82, 561-574.
    """
    return min(max(horizon, math.ceil(math.cbrt(count))), count)
