"""How much the price is expected to move, how that changed, and what it is made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from btc_assets.contracts import FORECASTS
from btc_assets.market.calendar import DAY
from btc_assets.vocabulary import ENSEMBLE
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.context import Context

AHEAD = (1, 7, 30, 90)
"""Days ahead that are shown."""

_YEAR = 365
_LENGTH = 2.0 * NormalDist().inv_cdf(0.9)
"""From the 10 to the 90 % quantile, in standard deviations."""


@dataclass(frozen=True)
class Expected:
    """The volatility expected over the next ``days``, a year's worth (0.4: 40 %).

    Attributes:
        now: as of the newest forecast.
        before: as of the forecast before it, None where there is none.
        lower, higher: shares of the last year's forecasts that expected less, and more, 0 to 1.
        forecasts: how many these are.
    """

    days: int
    now: float
    before: float | None
    lower: float
    higher: float
    forecasts: int


def annualised(width: pl.Expr, days: pl.Expr) -> pl.Expr:
    """Turn the log distance from the 10 to the 90 % quantile into a standard deviation a year."""
    return width / _LENGTH * (_YEAR / days).sqrt()


def past_expected(cache: TableCache) -> pl.DataFrame:
    """Return origin_date, horizon and expected volatility of the ensemble's forecasts of the last year."""

    def load() -> pl.DataFrame:
        newest = market.newest_origin(cache)
        start = None if newest is None else newest - _YEAR * DAY
        columns = ["model", "origin_date", "horizon", "q100", "q900"]
        rows = cache.read(FORECASTS, columns, start).filter(pl.col("horizon").is_in(AHEAD), model=ENSEMBLE)
        width = (pl.col("q900") / pl.col("q100")).log()
        return rows.select(
            "origin_date", "horizon", volatility=annualised(width, pl.col("horizon").cast(pl.Float64))
        ).sort("origin_date")

    return cache.keep(FORECASTS, "expected volatility", load)


def expected(cache: TableCache) -> list[Expected]:
    """Return what is expected now at each of AHEAD; empty where nothing was issued."""
    rows = past_expected(cache)
    found = []
    for days in AHEAD:
        known = rows.filter(horizon=days)["volatility"].to_list()
        if known:
            lower, higher = (sum(s * v < s * known[-1] for v in known) / len(known) for s in (1, -1))
            before = known[-2] if len(known) > 1 else None
            found.append(Expected(days, known[-1], before, lower, higher, len(known)))
    return found


def realised_volatility(cache: TableCache) -> pl.DataFrame:
    """Return date and realised volatility a year, from the 4-hour candles of each day of the last year."""
    rows = market.features(cache).select("date", "log_realised_variance").drop_nulls().tail(_YEAR)
    return rows.select("date", volatility=(0.5 * pl.col("log_realised_variance")).exp() * np.sqrt(_YEAR))


def why(context: Context, origin: dt.date, client: str) -> dict[str, list[float]]:
    """Take the width of the ensemble's forecast apart: by part, what it adds to its log at each of AHEAD.

    Parts are those of ``btc_assets.modeling.width_parts``; what is left where the candles or models are no
    longer those that it was issued from is a part of its own, ``restated``. They sum to the log of the width.

    Raises:
        ModelError, StorageError, TooManyRequests: it cannot be computed again.
    """
    parts = context.forecaster.width_parts(ENSEMBLE, origin, client)
    places = [days - 1 for days in AHEAD]
    found = {name: values[places].tolist() for name, values in parts.items()}
    issued = market.issued(context.cache, ENSEMBLE, origin)
    if issued is not None:
        low, high = (np.array(issued.level(level)) for level in (0.1, 0.9))
        left = np.log(np.log(high / low)) - np.sum(list(parts.values()), axis=0)
        found["restated"] = left[places].tolist()
    return found
