"""A random walk whose ranges are conformal: as wide as past moves were, over the volatility of their day."""

from __future__ import annotations

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.modeling.history import history, window_mean
from btc_assets.vocabulary import HORIZONS

MONTH = 30
"""Days of ranges that say how volatile a day is."""

_HALF = np.array(LEVELS[len(LEVELS) // 2 :])
_COVERAGE = 2 * _HALF - 1
"""Of the central ranges whose upper ends the levels from the median on are."""


class ConformalWalk:
    """Normalised split conformal prediction around the last close.

    Papadopoulos, Gammerman and Vovk (2008), Proc. AIA, 64-69: the size of past moves over a forecast of their
    size; its order statistic of rank (n + 1) x coverage, rounded up, is the width of a range.
    """

    name = "conformal_walk"
    version = "1"
    needs = Needs(days=1096)

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        h = history(observed.candles)
        sigma = np.sqrt(window_mean(h.range_variance, MONTH))
        widths = np.empty((HORIZONS, len(_HALF)))
        for ahead in range(1, HORIZONS + 1):
            sizes = np.abs(h.log_close[ahead:] - h.log_close[:-ahead]) / sigma[:-ahead]
            ordered = np.sort(sizes[~np.isnan(sizes)])
            rank = np.ceil((len(ordered) + 1) * _COVERAGE).astype(int)
            widths[ahead - 1] = np.where(rank > 0, ordered[np.clip(rank, 1, len(ordered)) - 1], 0.0)
        moves = np.hstack([-widths[:, :0:-1], widths]) * sigma[-1]
        return np.asarray(observed.last_close * np.exp(moves))
