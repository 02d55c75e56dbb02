"""Forecast rows of every model for given origins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from btc_assets.contracts import FORECASTS, NETWORKS
from btc_assets.errors import ModelError
from btc_assets.modeling.baselines import forecast_rows
from btc_assets.modeling.ensemble import combine
from btc_assets.modeling.history import Floats
from btc_assets.modeling.inference import Origin, Predictor, at_origin

InForce = Callable[[str, dt.date], Predictor]
"""Gives the predictor of a network (by kind) that is in force for an origin."""


def forecasts(
    origins: Iterable[dt.date], klines: pl.DataFrame, features: pl.DataFrame, in_force: InForce
) -> pl.DataFrame:
    """Forecasts of mlp, lstm and ensemble from ``origins``: the contract FORECASTS without ``issued_at``.

    Each origin is computed on its own from candles up to it, so neither the order nor the range matters.

    Raises:
        NotEnoughHistory: an origin lacks its candle, its features, or history.
        ModelError: a vintage has seen targets after the origin.
    """
    parts = []
    for day in origins:
        state = at_origin(klines, features, day)
        parts.append(forecast_origin(state, {kind: in_force(kind, day) for kind in NETWORKS}))
    names = [c for c in FORECASTS.schema if c != "issued_at"]
    return pl.concat(parts) if parts else FORECASTS.empty().select(names)


def forecast_origin(state: Origin, predictors: Mapping[str, Predictor]) -> pl.DataFrame:
    """The same for one origin and given vintages; ``predictors`` by kind."""
    vintages = {kind: predictors[kind].cutoff for kind in NETWORKS}
    vintages["ensemble"] = min(vintages.values())
    return forecast_rows(state.history.symbol, state.day, quantiles(state, predictors), vintages)


def quantiles(state: Origin, predictors: Mapping[str, Predictor]) -> dict[str, Floats]:
    """By model (mlp, lstm, ensemble), the quantiles of the close, USDT [HORIZONS, 21].

    Raises:
        ModelError: a vintage has seen targets after the origin.
    """
    late = [f"{p.kind} {p.cutoff}" for p in predictors.values() if p.cutoff > state.day]
    if late:
        raise ModelError(f"origin {state.day}: {', '.join(late)} was trained on later targets")
    returns = {kind: predictors[kind].returns(state) for kind in NETWORKS}
    returns["ensemble"] = combine([returns[kind] for kind in NETWORKS])
    return {model: np.asarray(state.close * np.exp(q)) for model, q in returns.items()}
