"""The tables that a backtest writes: what is in them, and emptying them."""

from __future__ import annotations

import polars as pl
from graph_environment import GraphEnvironment

from btc_assets.contracts import BASELINE_FORECASTS, FORECAST_SCORES, FORECASTS, VINTAGES_IN_FORCE, TableSpec
from btc_assets.factory import open_tables

WRITTEN = {
    FORECASTS: "issued_at",
    BASELINE_FORECASTS: "issued_at",
    VINTAGES_IN_FORCE: None,
    FORECAST_SCORES: None,
}


def contents(graph: GraphEnvironment) -> dict[str, pl.DataFrame]:
    """Every table the backtest writes, in order of its key, without the time of writing."""
    found = {}
    for spec, written_at in WRITTEN.items():
        rows = graph.table(spec).sort(spec.key)
        found[spec.name] = rows.drop(written_at) if written_at else rows
    return found


def clear(graph: GraphEnvironment) -> None:
    tables = open_tables(graph.settings)

    def empty(spec: TableSpec) -> None:
        tables.delete_keys(spec, graph.table(spec).select(spec.key))

    for spec in WRITTEN:
        empty(spec)
