"""From which columns each column of a table is derived; Dagster's UI draws it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from btc_assets.contracts import QUANTILES
from btc_assets.modeling.features import FEATURES
from btc_assets.modeling.history import LOG_IMPLIED, LOG_REALISED

Sources = list[tuple[str, str]]
"""Upstream asset and column, each."""

Columns = dict[str, Sources]

OFFERED = (
    "open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote",
    "open_time", "close_time",
)  # fmt: skip
"""What a source says of a candle, by the names that our tables give it."""

OFFERED_VOLATILITY = ("date", "volatility")
"""What a source says of implied volatility."""

_NETWORKS = ("mlp_model", "lstm_model")
_ISSUED = ("forecasts", "baseline_forecasts", "arena_forecasts")
_SYMBOL: Sources = [("raw_klines", "symbol")]
_DAY: Sources = [("raw_klines", "date")]
_CLOSE: Sources = [("raw_klines", "close")]
_FEATURES: Sources = [("engineered_features", feature.name) for feature in FEATURES]


def _of(assets: tuple[str, ...], *columns: str) -> Sources:
    return [(asset, column) for asset in assets for column in columns]


def _each(names: tuple[str, ...], sources: Sources) -> Columns:
    return dict.fromkeys(names, sources)


def _candles() -> Columns:
    return {name: [("exchange_klines", name)] for name in OFFERED}


def _features() -> Columns:
    known: Columns = {f.name: [("raw_klines", c.strip()) for c in f.source.split(",")] for f in FEATURES}
    return known | {
        "symbol": _SYMBOL,
        "date": _DAY,
        LOG_REALISED: _of(("raw_klines_4h",), "high", "low"),
        LOG_IMPLIED: [("raw_implied_volatility", "volatility")],
    }


def _tuned() -> Columns:
    found = ("parameters", "loss", "default_loss", "trials", "reason")
    return _each(found, [*_FEATURES, *_CLOSE]) | {"symbol": _SYMBOL, "tuned_until": _DAY}


def _network() -> Columns:
    fitted: Sources = [*_FEATURES, *_CLOSE, ("hyperparameters", "parameters")]
    return {
        "symbol": _SYMBOL,
        "model": [("hyperparameters", "model")],
        "date": [("engineered_features", "date")],
        "vintage": _DAY,
        **_each(("revision", "manifest_sha256", "action", "reason"), fitted),
    }


def _forecast(vintage: Sources, more: Sources) -> Columns:
    return {
        "symbol": _SYMBOL,
        **_each(("origin_date", "horizon", "target_date"), _DAY),
        **_each(tuple(QUANTILES), [*_CLOSE, *more]),
        "vintage": vintage,
    }


def _scores() -> Columns:
    inside = {50: ("q250", "q750"), 80: ("q100", "q900"), 90: ("q050", "q950"), 95: ("q025", "q975")}
    return {
        "symbol": _SYMBOL,
        **{name: _of(_ISSUED, name) for name in ("model", "origin_date", "horizon", "target_date")},
        **_each(("close", "naive_absolute_error", "pinball_random_walk"), _CLOSE),
        **_each(("absolute_error", "absolute_percentage_error"), _of(_ISSUED, "q500") + _CLOSE),
        **_each(("pinball", "pit"), _of(_ISSUED, *QUANTILES) + _CLOSE),
        **{f"inside_{percent}": _of(_ISSUED, *ends) + _CLOSE for percent, ends in inside.items()},
        "live": _of(_ISSUED, "issued_at"),
    }


def _chances() -> Columns:
    quantiles = _of(("forecasts",), *QUANTILES)
    price = _of(("raw_klines",), "close", "high", "low")
    keys = ("model", "origin_date", "target_date", "horizon")
    return {
        "symbol": _SYMBOL,
        **{name: [("forecasts", name)] for name in keys},
        "price": _CLOSE,
        **_each(("chance", "twice_beyond", "brier", "log_score"), quantiles + price),
        **_each(("past_frequency", "happened"), price),
        "live": _of(("forecasts",), "issued_at"),
    }


def columns_of(asset: str) -> Mapping[str, Sources]:
    """Return the columns of ``asset``'s table that come from elsewhere, with what they come from."""
    volatility = _of(("engineered_features",), LOG_REALISED, LOG_IMPLIED)
    models = _of(_NETWORKS, "manifest_sha256")
    known: dict[str, Columns] = {
        "raw_klines": _candles() | {"date": [("exchange_klines", "open_time")]},
        "raw_klines_4h": _candles() | {"date": _DAY, "symbol": _SYMBOL},
        "raw_implied_volatility": {name: [("offered_volatility", name)] for name in OFFERED_VOLATILITY},
        "engineered_features": _features(),
        "hyperparameters": _tuned(),
        **{name: _network() for name in _NETWORKS},
        "baseline_forecasts": _forecast(_DAY, []),
        "arena_forecasts": _forecast(
            _DAY, [*_of(("raw_klines",), "open", "high", "low", "volume"), *_FEATURES]
        ),
        "forecasts": _forecast(_of(_NETWORKS, "vintage"), [*volatility, *_FEATURES, *models])
        | {"model": _of(_NETWORKS, "model")},
        "forecast_scores": _scores(),
        "chance_scores": _chances(),
    }
    return known.get(asset, {})


def column_lineage(asset: str) -> dict[str, dg.TableColumnLineage]:
    """Build the metadata entry that Dagster's UI draws column lineage from."""
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey([upstream]), name) for upstream, name in sources]
        for column, sources in columns_of(asset).items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)}
