"""The baselines as forecasters: the same bytes as ``baseline_forecasts``, origin by origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.modeling import baselines
from btc_assets.modeling.history import History, history


@dataclass(frozen=True)
class Baseline:
    """One of the baselines.

    Attributes:
        returns: computes log-return quantiles [positions, 90, 21] from a history.
    """

    name: str
    returns: Callable[[History, Sequence[int]], Floats]
    version: str = "1"
    needs: Needs = field(default=Needs(days=baselines.REACH + 1, fewest=baselines.MIN_HISTORY + 1))

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        h = history(observed.candles)
        positions = [h.index(observed.origin)]
        return np.asarray((h.close[positions][:, None, None] * np.exp(self.returns(h, positions)))[0])


last_close = Baseline("last_close", baselines.last_close)
random_walk = Baseline("random_walk", baselines.random_walk)
mixture_walk = Baseline("mixture_walk", baselines.mixture_walk)
