"""Tell live, late and back-filled scores apart by when their forecasts were issued."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS, BASELINE_FORECASTS, FORECASTS
from btc_assets.market.issue_timing import before_deadline
from btc_assets.storage.tables import TableReader, read_pair

ISSUED = (FORECASTS, BASELINE_FORECASTS, ARENA_FORECASTS)
"""The tables whose forecasts are scored."""

ISSUE_COLUMNS = ["model", "origin_date", "horizon", "issued_at"]
"""What ``issued_in_time`` reads of them."""


def issued_in_time(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Return model and origin_date of the forecasts that were issued before their first target closed."""
    nearest = forecasts.filter(pl.col("horizon") == 1)
    return nearest.filter(before_deadline()).select("model", "origin_date").unique()


def read_in_time(tables: TableReader, symbol: str) -> pl.DataFrame:
    """Read what ``issued_in_time`` tells of all forecasts of a pair."""
    return issued_in_time(pl.concat([read_pair(tables, spec, symbol, ISSUE_COLUMNS) for spec in ISSUED]))


def with_kind(scores: pl.DataFrame, in_time: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``kind`` (``IssueKind``) by ``live``, ``model`` and ``origin_date``.

    Args:
        scores: rows of FORECAST_SCORES or CHANCE_SCORES.
        in_time: as ``issued_in_time`` gives them; a score whose forecast is not among them is live or
            back-filled.
    """
    late = in_time.with_columns(issued_in_time=True)
    kind = (
        pl.when("live").then(pl.lit("live")).when("issued_in_time").then(pl.lit("late"))
        .otherwise(pl.lit("back-filled")).alias("kind")
    )  # fmt: skip
    marked = scores.join(late, on=["model", "origin_date"], how="left", maintain_order="left")
    return marked.with_columns(kind).drop("issued_in_time")
