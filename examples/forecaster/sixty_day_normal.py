"""A forecaster in a package of its own: normal log returns, as volatile as the last sixty days."""

from statistics import NormalDist

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Needs, Observed


class SixtyDayNormal:
    """A random walk without drift."""

    name = "sixty_day_normal"
    version = "1.0"
    needs = Needs(days=61)

    def forecast(self, observed: Observed) -> np.ndarray:
        """Return quantiles of the close [90, 21], USDT."""
        width = observed.log_returns.std() * np.sqrt(np.arange(1, 91))
        scores = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
        return observed.last_close * np.exp(width[:, None] * scores)
