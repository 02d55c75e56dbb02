"""From which columns each column of a table is derived; Dagster's UI draws it."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from btc_assets.contracts import CHANCE_SCORES, FORECAST_SCORES, QUANTILES
from btc_assets.modeling.features import FEATURES
from btc_assets.modeling.history import LOG_REALISED

Sources = list[tuple[str, str]]
"""Upstream asset and column, each."""

_MODELS: Sources = [("mlp_model", "manifest_sha256"), ("lstm_model", "manifest_sha256")]
_DAY: Sources = [("raw_klines", "date")]
_ISSUED = ("forecasts", "baseline_forecasts")


def _of(assets: tuple[str, ...], *columns: str) -> Sources:
    return [(asset, column) for asset in assets for column in columns]


def _network() -> dict[str, Sources]:
    rows: Sources = [("engineered_features", feature.name) for feature in FEATURES]
    fitted: Sources = [*rows, ("raw_klines", "close"), ("hyperparameters", "parameters")]
    return {"date": [("engineered_features", "date")], "vintage": _DAY, "manifest_sha256": fitted}


def _scores() -> dict[str, Sources]:
    price: Sources = [("raw_klines", "close")]
    quantiles = _of(_ISSUED, *QUANTILES) + price
    keys = {name: _of(_ISSUED, name) for name in ("model", "origin_date", "horizon", "target_date")}
    scored = [c.name for c in FORECAST_SCORES.columns if c.name not in (*keys, "symbol", "close", "live")]
    return keys | {"close": price, "live": _of(_ISSUED, "issued_at")} | dict.fromkeys(scored, quantiles)


def _chances() -> dict[str, Sources]:
    asked = _of(("forecasts",), *QUANTILES)
    price: Sources = [("raw_klines", "close"), ("raw_klines", "high"), ("raw_klines", "low")]
    keys = {name: _of(("forecasts",), name) for name in ("model", "origin_date", "target_date")}
    scored = [c.name for c in CHANCE_SCORES.columns if c.name in ("brier", "log_score", "chance")]
    return keys | {"happened": price, "past_frequency": price} | dict.fromkeys(scored, asked + price)


def _forecast(width: Sources) -> dict[str, Sources]:
    sources: Sources = [("raw_klines", "close"), *width]
    return {"origin_date": _DAY, **{name: sources for name in QUANTILES}}  # noqa: C420 - nobody changes it


def columns_of(asset: str) -> Mapping[str, Sources]:
    """Return the columns of ``asset``'s table that come from another table, with what they come from."""
    features: dict[str, Sources] = {
        feature.name: [("raw_klines", column.strip()) for column in feature.source.split(",")]
        for feature in FEATURES
    }
    known: dict[str, Mapping[str, Sources]] = {
        "raw_klines_4h": {"date": _DAY, "symbol": [("raw_klines", "symbol")]},
        "engineered_features": features | {LOG_REALISED: _of(("raw_klines_4h",), "high", "low")},
        "mlp_model": _network(),
        "lstm_model": _network(),
        "baseline_forecasts": _forecast([]),
        "forecasts": _forecast([("engineered_features", LOG_REALISED), *_MODELS])
        | {"vintage": _of(("mlp_model", "lstm_model"), "vintage")},
        "forecast_scores": _scores(),
        "chance_scores": _chances(),
    }
    return known.get(asset, {})


def column_lineage(asset: str) -> dict[str, dg.TableColumnLineage]:
    """Build the metadata entry that Dagster's UI draws column lineage from; none for a table from outside."""
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey([upstream]), name) for upstream, name in sources]
        for column, sources in columns_of(asset).items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}
