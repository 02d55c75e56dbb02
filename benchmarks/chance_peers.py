"""Chances of the standard questions from other people's simulated paths, for comparison.

Both peers simulate closes only, so a level is touched when a day closes beyond it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES
from btc_assets.chances.paths import Paths
from btc_assets.chances.scores import standard_chances
from btc_assets.modeling.history import Floats, history

GARCH_PATHS = 2000
ARIMA_PATHS = 1000

ARIMA_EVERY = 30
"""Days from one origin of AutoARIMA to the next, which takes seconds; every weekday gets its turn."""

ARIMA_CLOSES = 1460
"""Closes up to the origin that AutoARIMA is fitted to."""


def garch(origins: Sequence[dt.date], klines: pl.DataFrame) -> pl.DataFrame:
    """Answer from a GARCH(1,1) with Student's t (``arch``), fitted each month on all candles before.

    Returns:
        Columns origin_date, kind, horizon, move and ``garch``, the chance.
    """
    from arch import arch_model
    from arch.univariate import StudentsT

    h = history(klines)
    returns = 100.0 * np.diff(h.log_close)
    parts, month, parameters = [], None, None
    for day in origins:
        at = h.index(day)
        model = arch_model(returns[:at], mean="Zero", vol="GARCH", dist="t")
        model.distribution = StudentsT(seed=np.random.RandomState(at))
        if month != (day.year, day.month):
            month, parameters = (day.year, day.month), model.fit(disp="off").params
        drawn = model.fix(parameters).forecast(
            horizon=max(AHEAD), method="simulation", simulations=GARCH_PATHS, reindex=False
        )
        steps = drawn.simulations.values[-1].T / 100.0
        parts.append(_answers("garch", day, float(h.close[at]), np.cumsum(steps, axis=0)))
    return pl.concat(parts)


def auto_arima(origins: Sequence[dt.date], klines: pl.DataFrame) -> pl.DataFrame:
    """Answer from AutoARIMA of the log close (``statsforecast``), its errors drawn from its residuals.

    It is fitted anew at each origin, every ``ARIMA_EVERY``-th of ``origins``.

    Returns:
        Columns origin_date, kind, horizon, move and ``auto_arima``, the chance.
    """
    from statsforecast.models import AutoARIMA

    h = history(klines)
    parts = []
    for day in origins[::ARIMA_EVERY]:
        at = h.index(day)
        known = h.log_close[max(0, at + 1 - ARIMA_CLOSES) : at + 1]
        model = AutoARIMA(seasonal=False, allowdrift=False).fit(known[np.isfinite(known)])
        drawn = model.simulate(max(AHEAD), ARIMA_PATHS, seed=at, error_distribution="bootstrap")
        parts.append(_answers("auto_arima", day, float(h.close[at]), drawn.T - h.log_close[at]))
    return pl.concat(parts)


def _answers(name: str, day: dt.date, start: float, returns: Floats) -> pl.DataFrame:
    """Ask paths of log returns from the origin [days, paths] the standard questions."""
    close = start * np.exp(returns)
    said = standard_chances(Paths(start, close, close, close), list(AHEAD)).ravel()
    kind, ahead, move = (grid.ravel() for grid in np.meshgrid(KINDS, AHEAD, MOVES, indexing="ij"))
    asked = {"kind": kind, "horizon": ahead.astype(np.int16), "move": move, name: said}
    return pl.DataFrame(asked).with_columns(origin_date=pl.lit(day))
