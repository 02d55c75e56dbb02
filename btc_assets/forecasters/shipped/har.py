"""HAR with weekdays: variance ahead from its mean over a day, a week and a month."""

from __future__ import annotations

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.modeling.history import History, history, window_mean
from btc_assets.vocabulary import HORIZONS

SPANS = (1, 7, 30)
"""Days whose mean variance explains that of the days ahead."""


class Har:
    """Heterogeneous autoregression of log variance, a regression for each horizon.

    Corsi (2009), J. Financial Econometrics 7, 174-196, on range variances (Parkinson), with a constant for
    each weekday of the origin. Returns over the standard deviation that it would have forecast give the
    quantiles: no distribution is assumed, and no drift.
    """

    name = "har_weekdays"
    version = "1"
    needs = Needs(days=1461)

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        h = history(observed.candles)
        known = self._regressors(h)
        usable = np.asarray(~np.isnan(known).any(axis=1))
        scores = np.empty((HORIZONS, len(LEVELS)))
        for ahead in range(1, HORIZONS + 1):
            past = slice(0, len(h) - ahead)
            variance = np.log(window_mean(h.range_variance, ahead)[ahead:])
            moves = h.log_close[ahead:] - h.log_close[past]
            good = usable[past] & ~np.isnan(variance) & ~np.isnan(moves)
            weights, *_ = np.linalg.lstsq(known[past][good], variance[good], rcond=None)
            scale = np.exp(0.5 * (known @ weights))
            found = np.quantile(moves[good] / scale[past][good], LEVELS)
            scores[ahead - 1] = scale[-1] * (found - found[len(LEVELS) // 2])
        return np.asarray(observed.last_close * np.exp(scores))

    def _regressors(self, h: History) -> Floats:
        """Return [days, 10]: log mean variance over each span, and which weekday it is."""
        means = [np.log(window_mean(h.range_variance, span)) for span in SPANS]
        return np.column_stack([*means, np.eye(7)[h.weekday]])
