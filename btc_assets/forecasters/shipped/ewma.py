"""EWMA-t: an exponentially weighted variance, and Student's t for what is left."""

from __future__ import annotations

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.vocabulary import HORIZONS

DECAY = 0.94
"""Of the weights from day to day: RiskMetrics (1996), Technical Document, 4th edition, for daily data."""


class EwmaT:
    """A walk without drift whose variance is that of today, in which shocks are Student's t."""

    name = "ewma_t"
    version = "1"
    needs = Needs(days=731)

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        from scipy.signal import lfilter
        from scipy.stats import t

        squared = observed.log_returns**2
        start = squared[:30].mean()
        variance = lfilter([1 - DECAY], [1, -DECAY], squared, zi=[DECAY * start])[0]
        shocks = observed.log_returns[31:] / np.sqrt(variance[30:-1])
        freedom, _, scale = t.fit(shocks, floc=0.0)
        width = scale * np.sqrt(variance[-1] * np.arange(1, HORIZONS + 1))
        return np.asarray(observed.last_close * np.exp(width[:, None] * t.ppf(LEVELS, freedom)))
