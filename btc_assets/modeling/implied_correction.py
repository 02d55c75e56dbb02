"""What implied volatility adds to the anchor: a factor for the width of its quantiles at each horizon.

A ridge regression of the log volatility that was realised over the horizon, less what the anchor's cascade
expected, on how implied volatility changed over the last days, and on how far it lies above the volatility of
the last month. It is fitted on each month's first day on what had matured by then, over four years at most.
That options tell more than past prices do is an old finding (Christensen and Prabhala 1998, J. Financial
Economics 50, 125-150); here it is mostly their changes that do, and not their level, which holds a premium.

Where a day's value is not known, or too few are, the factor is 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btc_assets.modeling.history import Floats, window_mean

CHANGES = (1, 3, 7)
"""Days over which implied volatility changed."""

FIT_DAYS = 1460
"""Days before a month's first that its regression reads at most."""

FEWEST = 120
"""Days with all regressors and an outcome without which there is no correction."""

RIDGE = 150.0
"""Penalty on the squared coefficients of standardised regressors, times the horizon: outcomes that overlap
are fewer than they look. From log volatility and CRPS of July 2021 to December 2022."""

LARGEST = 0.7
"""Bound of the log of the factor: no value that a source may send moves a forecast further."""


@dataclass(frozen=True, eq=False)
class Correction:
    """The regressions of one month.

    Attributes:
        regressors: of each day [4, days]; NaN where not known.
        fits: by horizon, offset and slope of the log of the factor: ``slope @ (regressors - offset)``.
    """

    regressors: Floats
    fits: Mapping[int, tuple[Floats, Floats]]

    def log_factors(self, t: int, horizons: NDArray[np.int64]) -> Floats:
        """Compute the log of the factor from position ``t`` at each of ``horizons``; 0 where not known."""
        today = self.regressors[:, t]
        found = np.zeros(len(horizons))
        if not np.isfinite(today).all():
            return found
        for place, horizon in enumerate(horizons.tolist()):
            if horizon in self.fits:
                offset, slope = self.fits[horizon]
                found[place] = np.sum(slope * (today - offset))
        return np.clip(found, -LARGEST, LARGEST)


def fit_correction(
    log_implied: Floats,
    daily: Floats,
    monthly: Floats,
    expected: Floats,
    horizons: NDArray[np.int64],
    start: int,
) -> Correction:
    """Fit the correction that holds for a month; reads outcomes up to position ``start`` only.

    Args:
        log_implied: log of a day's volatility as options imply it [days].
        daily: log of each day's volatility, weekdays levelled out [days].
        monthly: its mean over 30 days [days].
        expected: what the cascade expects of the log volatility over each horizon [horizons, days].
        horizons: days ahead.
        start: the month's first day.
    """
    before = np.concatenate([np.full(max(CHANGES), np.nan), log_implied])
    changes = [log_implied - before[max(CHANGES) - days :][: len(log_implied)] for days in CHANGES]
    regressors = np.stack([*changes, log_implied - monthly])
    first = max(0, start - FIT_DAYS)
    known = np.asarray(np.isfinite(regressors[:, first : start + 1]).all(axis=0))
    fits = {}
    for ahead, horizon in zip(expected[:, first:], horizons.tolist(), strict=True):
        realised = window_mean(daily[first : start + 1], horizon)[horizon:]
        surprise = realised - ahead[: len(realised)]
        usable = np.flatnonzero(known[: len(realised)] & np.isfinite(surprise))
        if len(usable) >= FEWEST:
            fits[horizon] = _ridge(regressors[:, first + usable], surprise[usable], RIDGE * horizon)
    return Correction(regressors, fits)


def _ridge(regressors: Floats, outcome: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Return offset and slope, in the regressors' own units, of a ridge regression on standardised ones."""
    offset = regressors.mean(axis=1)
    beside = regressors - offset[:, None]
    spread = np.sqrt(np.square(beside).mean(axis=1))
    spread = np.where(spread > 0, spread, 1.0)
    standard = beside / spread[:, None]
    products = standard @ standard.T + penalty * np.eye(len(standard))
    return offset, np.linalg.solve(products, standard @ (outcome - outcome.mean())) / spread
