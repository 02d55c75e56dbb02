"""Rows of any table from the few values that a test cares about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    RAW_IMPLIED_VOLATILITY,
    RAW_KLINES,
    RAW_KLINES_4H,
    VINTAGES_IN_FORCE,
    TableSpec,
)
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.storage.tables import TableStore
from btc_assets.vocabulary import NETWORKS

_ANY: dict[Any, Any] = {
    pl.String: "x",
    pl.Float64: 1.0,
    pl.Int64: 1,
    pl.Int16: 1,
    pl.Boolean: True,
    pl.Date: dt.date(2020, 1, 1),
}
INSTANT = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def rows_of(spec: TableSpec, given: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """A row of ``spec`` for each mapping; what it does not name is some value of the column's type."""
    filled = {name: _ANY.get(dtype.base_type(), INSTANT) for name, dtype in spec.schema.items()}
    rows = [{**filled, "symbol": "BTCUSDT", **row} for row in given]
    return pl.DataFrame([{name: row[name] for name in spec.schema} for row in rows], schema=spec.schema)


def put(tables: TableStore, spec: TableSpec, wanted: Iterable[dt.date], **more: Any) -> None:
    """Rows of the days ``wanted``, each written five minutes after it closed."""
    written = {name for name in ("ingested_at", "issued_at") if name in spec.schema}
    rows = [
        {
            "origin_date": day - DAY if spec in (FORECAST_SCORES, CHANCE_SCORES) else day,
            spec.day: day,
            **{name: closes_at(day) + dt.timedelta(minutes=5) for name in written},
            **more,
        }
        for day in wanted
    ]
    tables.upsert(spec, rows_of(spec, rows))


def fill(tables: TableStore, wanted: Sequence[dt.date], **more: Any) -> None:
    """Every table of the daily graph over the days ``wanted``."""
    for spec in (
        RAW_KLINES,
        RAW_KLINES_4H,
        RAW_IMPLIED_VOLATILITY,
        ENGINEERED_FEATURES,
        FORECASTS,
        BASELINE_FORECASTS,
    ):
        put(tables, spec, wanted, **more)
    for spec in (FORECAST_SCORES, CHANCE_SCORES):
        put(tables, spec, [day + DAY for day in wanted[:-1]], **more)
    for kind in NETWORKS:
        put(tables, VINTAGES_IN_FORCE, wanted, model=kind, **more)
