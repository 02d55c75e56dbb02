"""Resample a series in blocks, so that what overlaps in time stays together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from btc_assets.statistics.metrics import Floats
from btc_assets.statistics.significance import student_t_quantile

REPLICATES = 1000
"""Resampled series that an interval or a confidence set rests on."""

_SEED = 2011
"""The same losses give the same interval, whoever asks."""

_TAIL = 0.025

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


def block_means(values: Floats, horizon: int) -> Floats:
    """Resample the means of daily ``values`` [days, columns] of forecasts ``horizon`` days ahead.

    Few blocks, and blocks hardly longer than what overlaps, vary less than the mean does, so deviations from
    it are widened; [draws, columns]. ``benchmarks.bench_confidence_sets`` measures it.
    """
    days, mean = len(values), values.mean(axis=0)
    block = block_length(days, horizon)
    drawn = resampled_means(values, circular_blocks(days, block))
    return np.asarray(mean + (drawn - mean) * _widening(days, block, horizon))


def block_length(count: int, horizon: int) -> int:
    """Choose how many days stay together: all that overlap ``horizon`` days ahead, the cube root at least.

    The cube root of the number of days is the rate at which blocks should grow: Hall, Horowitz and Jing
    (1995), Biometrika 82, 561-574.
    """
    return min(max(horizon, math.ceil(math.cbrt(count))), count)


def _widening(count: int, block: int, horizon: int) -> float:
    """Return by what deviations are multiplied: what the mean varies by over what blocks show of it.

    Sums that overlap over h days have autocovariances that fall linearly to 0 at h; blocks of l days weigh
    that of k days by 1 - k/l (Kuensch 1989, Annals of Statistics 17, 1217-1241). For the number of blocks,
    Student's t takes the place of the normal distribution.
    """
    apart = np.arange(1, horizon)
    covariance = 1.0 - apart / horizon
    seen = (1.0 + 2.0 * covariance @ (1.0 - apart / block)) / (1.0 + 2.0 * covariance.sum())
    few = student_t_quantile(_TAIL, max(count / block - 1.0, 1.0)) / NormalDist().inv_cdf(1.0 - _TAIL)
    return float(few / math.sqrt(seen))
