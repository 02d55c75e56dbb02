"""GARCH and GJR-GARCH with filtered historical simulation, over ``arch``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.vocabulary import HORIZONS

PATHS = 5000
"""Paths that are drawn."""


@dataclass(frozen=True)
class Garch:
    """GARCH(1, 1) with a constant mean; ``leverage`` 1: falls move variance more than rises.

    Bollerslev (1986), J. Econometrics 31, 307-327; Glosten, Jagannathan and Runkle (1993), J. Finance 48,
    1779-1801. Shocks ahead are drawn from those that were seen, over the volatility of their day:
    Barone-Adesi, Giannopoulos and Vosper (1999), J. Futures Markets 19, 583-602.
    """

    name: str
    leverage: int
    version: str = "1"
    needs: Needs = field(default=Needs(days=1461))

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        from arch import arch_model

        percent = 100.0 * observed.log_returns
        model = arch_model(percent, p=1, o=self.leverage, q=1, rescale=False)
        fitted = model.fit(disp="off", show_warning=False)
        drawn = fitted.forecast(
            horizon=HORIZONS,
            method="bootstrap",
            simulations=PATHS,
            random_state=np.random.RandomState(observed.origin.toordinal()),
        )
        paths = drawn.simulations.values
        assert paths is not None
        moves = np.cumsum(paths[-1], axis=1) / 100.0
        return np.asarray(observed.last_close * np.exp(np.quantile(moves, LEVELS, axis=0).T))


garch = Garch("garch", leverage=0)
gjr_garch = Garch("gjr_garch", leverage=1)
