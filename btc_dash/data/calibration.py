"""Look up how the ranges held: the one drift rule over a model's scores at a horizon."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.scoring.drift import Drift, coverage_path, measure_drift
from btc_dash.data import track_record
from btc_dash.data.cache import TableCache


def drift(cache: TableCache, model: str, horizon: int) -> Drift:
    """Judge the newest forecasts, live and back-filled."""

    def load() -> Drift:
        return measure_drift(_rows(cache, model, horizon), horizon)

    return cache.keep(FORECAST_SCORES, ("drift", model, horizon), load)


def over_time(cache: TableCache, model: str, horizon: int) -> pl.DataFrame:
    """Return the path of the 80 % range: ``scoring.drift.coverage_path``."""
    return coverage_path(_rows(cache, model, horizon), 80, horizon)


def _rows(cache: TableCache, model: str, horizon: int) -> pl.DataFrame:
    return track_record.at_horizon(cache, horizon).filter(pl.col("model") == model)
