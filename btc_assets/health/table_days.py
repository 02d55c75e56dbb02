"""The days of every table of the daily graph, read from the tables; the one truth about what is missing.

Checks, sensors, ``btc up``, ``btc doctor``, the page and /metrics all ask here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

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
from btc_assets.health.missing_days import IN_TIME, TableDays, kept_up_since
from btc_assets.market.calendar import DAY, days
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.history import LOG_IMPLIED, LOG_REALISED
from btc_assets.storage.tables import RowReader, TableStore, read_pair
from btc_assets.vocabulary import MARKET_ASSETS, NETWORKS

Days = frozenset[dt.date]
NO_DAYS: Days = frozenset()
SCORES = (FORECAST_SCORES.name, CHANCE_SCORES.name)
"""The first forecast has its first target the day after."""


@dataclass(frozen=True)
class Written:
    """The days of a table's rows, and those of them that were written in time."""

    days: Days
    in_time: Days


def table_days(tables: TableStore, symbol: str, due: dt.date) -> dict[str, TableDays]:
    """By asset of the daily graph, in its order, the days of ``symbol`` that are there; ``due`` must be.

    A network's days are those of ``vintages_in_force``. Candles and features are kept up from where candles
    are, models and everything after them from where forecasts are. A day before the newest candle that has
    none excuses what is derived from it. Where forecasts are kept up, scores are due though there were never
    any: the first run that had to score may have died. A day that did without 4-hour candles or implied
    volatility, which may be switched off, needs none.

    Raises:
        StorageError: a table cannot be read.
    """
    made = written_candles(tables, symbol), written_forecasts(tables, symbol)
    there, without = _read(tables, symbol)  # scores after forecasts: what is issued meanwhile lacks none
    candles, issued = market_days(*made, due)
    there |= {RAW_KLINES.name: candles.present, FORECASTS.name: issued.present}
    market, forecasting, gaps = candles.begins, issued.begins, issued.excused
    begins: dict[str, dt.date | None] = dict.fromkeys(MARKET_ASSETS, market)
    begins |= dict.fromkeys(SCORES, forecasting and forecasting + DAY)
    follows = {FORECAST_SCORES.name} if issued.kept_up else set()
    excused = {RAW_KLINES.name: NO_DAYS} | {name: gaps | days for name, days in without.items()}
    return {
        name: TableDays(
            name,
            present,
            begins.get(name, forecasting) if present or name in follows else None,
            due,
            excused.get(name, gaps),
            optional=name == RAW_IMPLIED_VOLATILITY.name,
            kept_up=candles.kept_up if name in MARKET_ASSETS else issued.kept_up,
        )
        for name, present in there.items()
    }


def market_days(candles: Written, forecasts: Written, due: dt.date) -> tuple[TableDays, TableDays]:
    """Return the days of candles and of forecasts, which say how fresh a page is; see `table_days`."""
    last = max(candles.days, default=None)
    gaps = frozenset(days(min(candles.days), last)) - candles.days if last else NO_DAYS
    return (
        _table(RAW_KLINES.name, candles, due, NO_DAYS),
        _table(FORECASTS.name, forecasts, due, gaps),
    )


def _table(name: str, written: Written, due: dt.date, excused: Days) -> TableDays:
    begins = kept_up_since(written.days, written.in_time)
    return TableDays(name, written.days, begins, due, excused, kept_up=bool(written.in_time))


def _written(spec: TableSpec, at: str, tables: RowReader, symbol: str) -> Written:
    """Read which days have a row, and which of them in time, as the column ``at`` says."""
    rows = distinct_rows(tables, spec, symbol, at)
    closed = pl.col("day").cast(pl.Datetime("us", "UTC")) + DAY
    return Written(_days(rows), _days(rows.filter(pl.col(at) - closed <= IN_TIME)))


written_candles = partial(_written, RAW_KLINES, "ingested_at")
"""Read which days have a candle, from tables, of a symbol."""

written_forecasts = partial(_written, FORECASTS, "issued_at")
"""Read which days have forecasts, likewise."""


def missing_days(found: Mapping[str, TableDays]) -> list[dt.date]:
    """List the days that any table lacks, oldest first."""
    return sorted({day for each in found.values() for day in each.missing})


def _read(tables: TableStore, symbol: str) -> tuple[dict[str, Days], dict[str, Days]]:
    """Read the days of each asset, but of candles and forecasts none, in order; and those that need no row.

    The second are by asset that a day may do without: their features say that they were derived without.
    """
    features = distinct_rows(tables, ENGINEERED_FEATURES, symbol, LOG_REALISED, LOG_IMPLIED)
    bars = _days(distinct_rows(tables, RAW_KLINES_4H, symbol))
    implied = _days(distinct_rows(tables, RAW_IMPLIED_VOLATILITY, symbol))
    vintages = distinct_rows(tables, VINTAGES_IN_FORCE, symbol, "model")
    by_asset = {
        RAW_KLINES.name: NO_DAYS,
        RAW_KLINES_4H.name: bars,
        RAW_IMPLIED_VOLATILITY.name: implied,
        ENGINEERED_FEATURES.name: _days(features),
        **{f"{kind}_model": _days(vintages.filter(pl.col("model") == kind)) for kind in NETWORKS},
        BASELINE_FORECASTS.name: _days(distinct_rows(tables, BASELINE_FORECASTS, symbol)),
        FORECASTS.name: NO_DAYS,
        FORECAST_SCORES.name: _days(distinct_rows(tables, FORECAST_SCORES, symbol)),
        CHANCE_SCORES.name: _days(distinct_rows(tables, CHANCE_SCORES, symbol)),
    }
    without = {
        RAW_KLINES_4H.name: _days(features.filter(pl.col(LOG_REALISED).is_null())) - bars,
        RAW_IMPLIED_VOLATILITY.name: _days(features.filter(pl.col(LOG_IMPLIED).is_null())) - implied,
    }
    return by_asset, without


def distinct_rows(
    tables: RowReader, spec: TableSpec, symbol: str, *columns: str, since: dt.date | None = None
) -> pl.DataFrame:
    """Read what is told apart by ``columns``, the day as ``day``; none where the table was never written."""
    rows = read_pair(tables, spec, symbol, [spec.day, *columns], since)
    return rows.rename({spec.day: "day"}).unique()


def _days(rows: pl.DataFrame) -> Days:
    return frozenset(rows["day"])
