"""AutoARIMA, AutoETS and AutoTheta of the log close, over ``statsforecast``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.forecasters.protocol import Floats, Needs, Observed
from btc_assets.vocabulary import HORIZONS

_LOWER = LEVELS[: len(LEVELS) // 2]
PERCENT = [round(100 * (1 - 2 * level)) for level in _LOWER]
"""Coverage of the central ranges whose lower ends are the levels below the median: 95, 90, 80, ..., 10 %."""


@dataclass(frozen=True)
class Statistical:
    """A model of ``statsforecast`` that chooses its own form, without a season.

    Hyndman and Khandakar (2008), J. Statistical Software 27(3) (ARIMA and ETS); Fiorucci et al. (2016), Int.
    J. Forecasting 32, 1151-1161 (theta).
    """

    name: str
    model: str
    options: dict[str, Any]
    version: str = "1"
    needs: Needs = field(default=Needs(days=730))

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT."""
        from statsforecast import models

        chosen = getattr(models, self.model)(season_length=1, **self.options)
        found = chosen.forecast(y=np.log(observed.closes), h=HORIZONS, level=PERCENT)
        lower = [found[f"lo-{percent}"] for percent in PERCENT]
        upper = [found[f"hi-{percent}"] for percent in reversed(PERCENT)]
        # Simulated ranges may cross by a little: sorted as in Chernozhukov et al. (2010), Econometrica 78.
        return np.asarray(np.exp(np.sort(np.column_stack([*lower, found["mean"], *upper]), axis=1)))


auto_arima = Statistical("auto_arima", "AutoARIMA", {"allowdrift": False})
auto_ets = Statistical("auto_ets", "AutoETS", {"model": "ZZN"})
auto_theta = Statistical("auto_theta", "AutoTheta", {})
