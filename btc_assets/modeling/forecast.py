"""Forecast rows of the networks and of their ensemble for given origins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from btc_assets.contracts import FORECASTS, MEDIAN, NETWORKS
from btc_assets.errors import ModelError
from btc_assets.modeling.baselines import forecast_rows
from btc_assets.modeling.history import Floats
from btc_assets.modeling.inference import Origin, Predictor, at_origin

WIDENING_FROM = 30
"""Days ahead beyond which ranges may not narrow with the horizon."""

ROOT_OF_TIME = (45, 90, 0.5)
"""From the first to the second number of days ahead, the share that a month's quantiles, grown with the root
of time, get rises from 0 to the third; linear in days. Chosen on July 2019 to December 2022."""

PredictorOf = Callable[[str, dt.date], Predictor]
"""Gives the predictor of a network (by kind) that is in force for an origin."""


def forecasts(
    origins: Iterable[dt.date], klines: pl.DataFrame, features: pl.DataFrame, predictor_of: PredictorOf
) -> pl.DataFrame:
    """Forecast from ``origins`` with mlp, lstm and ensemble: the contract FORECASTS without ``issued_at``.

    Each origin is computed on its own from candles up to it, so neither the order nor the range matters.

    Raises:
        NotEnoughHistory: an origin lacks its candle, its features, or history.
        ModelError: a vintage has seen targets after the origin.
    """
    parts = []
    for day in origins:
        state = at_origin(klines, features, day)
        parts.append(forecast_origin(state, {kind: predictor_of(kind, day) for kind in NETWORKS}))
    names = [c for c in FORECASTS.schema if c != "issued_at"]
    return pl.concat(parts) if parts else FORECASTS.empty().select(names)


def forecast_origin(state: Origin, predictors: Mapping[str, Predictor]) -> pl.DataFrame:
    """Forecast from one origin with given vintages; ``predictors`` by kind: rows as of ``forecasts``."""
    vintages = {kind: [predictors[kind].cutoff] for kind in NETWORKS}
    vintages["ensemble"] = min(vintages.values())
    prices = {model: one[None] for model, one in quantiles(state, predictors).items()}
    return forecast_rows(state.history.symbol, [state.day], prices, vintages)


def quantiles(state: Origin, predictors: Mapping[str, Predictor]) -> dict[str, Floats]:
    """Compute, by model (mlp, lstm, ensemble), the quantiles of the close, USDT [HORIZONS, 21].

    Raises:
        ModelError: a vintage has seen targets after the origin.
    """
    late = [f"{p.kind} {p.cutoff}" for p in predictors.values() if p.cutoff > state.day]
    if late:
        raise ModelError(f"origin {state.day}: {', '.join(late)} was trained on later targets")
    returns = {kind: beyond_a_month(predictors[kind].returns(state)) for kind in NETWORKS}
    returns["ensemble"] = combine([returns[kind] for kind in NETWORKS])
    return {model: np.asarray(state.close * np.exp(q)) for model, q in returns.items()}


def beyond_a_month(returns: Floats) -> Floats:
    """Settle the log-return quantiles [HORIZONS, 21] beyond a month; those up to it stay as they are."""
    return widening(towards_root_of_time(returns))


def towards_root_of_time(returns: Floats) -> Floats:
    """Average the quantiles [HORIZONS, 21] of far horizons with a month's, grown with the root of time.

    A window of four years holds 16 quarters that do not overlap, and 48 months: the shape of what may happen
    in a quarter is better told from both.
    """
    first, last, share = ROOT_OF_TIME
    days = np.arange(1, len(returns) + 1)
    weight = (share * np.clip((days - first) / (last - first), 0.0, 1.0))[:, None]
    grown = returns[[WIDENING_FROM - 1]] * np.sqrt(days / WIDENING_FROM)[:, None]
    return np.asarray(np.where(weight > 0, (1.0 - weight) * returns + weight * grown, returns))


def widening(returns: Floats) -> Floats:
    """Let no edge of a range come back towards the median beyond ``WIDENING_FROM`` days; [HORIZONS, 21].

    A crash counts in the empirical quantiles at 49 days and, once the price has recovered, not at 90: the
    range would narrow with the horizon. There each level keeps the furthest it has reached so far.
    """
    near, median = WIDENING_FROM, returns[:, [MEDIAN]]
    beside = returns - median
    low = np.minimum.accumulate(beside[:, :MEDIAN])
    high = np.maximum.accumulate(beside[:, MEDIAN + 1 :])
    wide = np.concatenate([low, np.zeros_like(median), high], axis=1) + median
    return np.concatenate([returns[:near], wide[near:]])


def combine(members: Sequence[Floats]) -> Floats:
    """Average the members' log-return quantiles [HORIZONS, 21], level by level: the ensemble.

    So the price's quantiles are the geometric mean of the members'. Averaging quantiles (Vincent's method)
    keeps them ordered and their width between the members'; averaging probabilities would widen it
    (Lichtendahl, Grushka-Cockayne and Winkler 2013, Management Science 59, 1594-1611).
    """
    total = np.zeros_like(members[0])
    for member in members:
        total = total + member
    return np.asarray(total / len(members))
