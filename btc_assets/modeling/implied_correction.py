"""What implied volatility adds to the anchor: a factor for the width of its quantiles at each horizon.

A ridge regression of how far the log volatility of each of the next 30 days lay from what the anchor's
cascade expected of it, on how implied volatility changed over the last days, and on how far it lies above
what the cascade expects of the next month, less the mean of that distance over the last. Each regressor has
one slope, which fades with the days ahead. It is fitted on each month's first day on what had matured by
then, over four years at most. That options tell more than past prices do is an old finding (Christensen and
Prabhala 1998, J. Financial Economics 50, 125-150); here it is their changes that do, and not their level,
which holds a premium.

Where a day's value is not known, or too few are, the factor is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btc_assets.modeling.history import Floats, window_mean

CHANGES = (1, 2, 3)
"""Days over which implied volatility changed."""

MONTH = 30
"""Days that implied volatility is about: those ahead that the regression explains, and those behind whose
mean distance from the cascade is what is usual."""

FADE: Floats = np.exp(-1.0 / np.array([5.0, 5.0, 5.0, 20.0]))
"""What is left, a day further ahead, of what each regressor says; like what follows, from log volatility and
CRPS of July 2021 to December 2022."""

MOST = 2.0
"""Standard deviations beyond which a regressor counts for no more: a leap tells little more than a step."""

FIT_DAYS = 1460
"""Days before a month's first that its regression reads at most."""

FEWEST = 120
"""Days with all regressors and an outcome without which there is no correction."""

RIDGE = 100.0
"""Penalty on the squared slopes of standardised regressors."""

LARGEST = 0.7
"""Bound of the log of the factor, whatever a source may send."""


@dataclass(frozen=True, eq=False)
class Correction:
    """The regression of one month.

    Attributes:
        standard: standardised regressors of each day [4, days]; NaN where not known.
        slopes: of the log volatility of the first day ahead [4].
    """

    standard: Floats
    slopes: Floats

    def log_factors(self, t: int, horizons: NDArray[np.int64]) -> Floats:
        """Compute the log of the factor from position ``t`` at each of ``horizons``; 0 where not known."""
        today = self.slopes * self.standard[:, t]
        if not np.isfinite(today).all():
            return np.zeros(len(horizons))
        mean_fading = (1.0 - FADE ** horizons[:, None]) / ((1.0 - FADE) * horizons[:, None])
        return np.asarray(np.clip(np.sum(mean_fading * today, axis=1), -LARGEST, LARGEST))


def fit_correction(log_implied: Floats, daily: Floats, expected: Floats, start: int) -> Correction:
    """Fit the correction that holds for a month; reads outcomes up to position ``start`` only.

    Args:
        log_implied: log of a day's volatility as options imply it [days].
        daily: log of each day's volatility, weekdays levelled out [days].
        expected: what the cascade expects of its mean over the next 1 to ``MONTH`` days [MONTH, days].
        start: the month's first day.
    """
    first = max(0, start - FIT_DAYS)
    standard = _standardised(_regressors(log_implied, expected[-1]), first, start)
    seen = standard[:, first : start + 1]
    known = np.asarray(np.isfinite(seen).all(axis=0))
    totals = expected[:, first : start + 1] * np.arange(1, MONTH + 1)[:, None]
    of_each_day = np.diff(totals, axis=0, prepend=0.0)
    products, moments = RIDGE * np.eye(len(seen)), np.zeros(len(seen))
    for ahead in range(1, MONTH + 1):
        surprise = daily[first + ahead : start + 1] - of_each_day[ahead - 1, :-ahead]
        usable = known[: len(surprise)] & np.isfinite(surprise)
        if np.count_nonzero(usable) < FEWEST:
            continue
        told = np.where(usable, seen[:, : len(surprise)], 0.0)
        centred = np.where(usable, surprise - surprise[usable].mean(), 0.0)
        left = FADE ** (ahead - 1)
        products += np.outer(left, left) * (told @ told.T)
        moments += left * (told @ centred)
    return Correction(standard, np.asarray(np.linalg.solve(products, moments), dtype=np.float64))


def _regressors(log_implied: Floats, expected: Floats) -> Floats:
    """Compute them of each day [4, days]; NaN where not known."""
    before = np.concatenate([np.full(max(CHANGES), np.nan), log_implied])
    changes = [log_implied - before[max(CHANGES) - days :][: len(log_implied)] for days in CHANGES]
    beyond = log_implied - expected
    return np.stack([*changes, beyond - window_mean(beyond, MONTH)])


def _standardised(regressors: Floats, first: int, start: int) -> Floats:
    """Divide by the spread, about the mean, of the days from ``first`` to ``start``; none beyond ``MOST``."""
    seen = regressors[:, first : start + 1]
    seen = seen[:, np.isfinite(seen).all(axis=0)]
    if seen.shape[1] == 0:
        return np.full_like(regressors, np.nan)
    offset = seen.mean(axis=1, keepdims=True)
    spread = seen.std(axis=1, keepdims=True)
    return np.asarray(np.clip((regressors - offset) / np.where(spread > 0, spread, 1.0), -MOST, MOST))
