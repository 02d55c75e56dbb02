"""Partition D: how every forecast of day D did, networks and baselines alike."""

import dagster as dg
import polars as pl

from btc_assets.assets.describe import known_at, last_day_only, table_asset, table_preview, written
from btc_assets.contracts import (
    BASELINE_FORECASTS,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    RAW_KLINES,
    TableSpec,
)
from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import REACH
from btc_assets.partitions import Window, window_of
from btc_assets.progress import report
from btc_assets.resources import Platform
from btc_assets.scoring.scores import score

MONTHS = 31
"""Days of targets scored at a time: a year of forecasts at once would fill memory for nothing."""


@table_asset(
    FORECAST_SCORES,
    group="forecasts",
    kinds=set(),
    deps=[RAW_KLINES.name, FORECASTS.name, BASELINE_FORECASTS.name],
    tags={"domain": "forecasting"},
)
def forecast_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Score the forecasts whose target lies in the window; a target nobody forecast yet is no error."""
    window = window_of(context)
    scores = pl.concat([score_targets(platform, part) for part in parts(window)])
    platform.tables.ensure_table(FORECAST_SCORES)
    receipt = platform.tables.upsert(FORECAST_SCORES, scores)
    last_day_only(context, window, {"scores of the last day": by_model(scores, window)})
    return dg.MaterializeResult(
        metadata=written(platform, FORECAST_SCORES, window, receipt, scores.height)
        | {"known at": known_at(window), "targets": scores["target_date"].n_unique()}
    )


def parts(window: Window) -> list[Window]:
    """The window, some days at a time."""
    starts = window.days[::MONTHS]
    return [Window(start, min(start + MONTHS * DAY, window.end)) for start in starts]


def score_targets(platform: Platform, window: Window) -> pl.DataFrame:
    """Scores of every stored forecast whose target day is in ``window``."""
    report(platform.settings.root, "scoring", 0.0, f"targets {window}")
    first = window.start - HORIZONS * DAY
    klines = platform.tables.read(RAW_KLINES, start=first - REACH * DAY, end=window.end)
    issued = [due(platform, spec, first, window) for spec in (FORECASTS, BASELINE_FORECASTS)]
    return score(pl.concat(issued), klines)


def due(platform: Platform, spec: TableSpec, first: object, window: Window) -> pl.DataFrame:
    """Forecasts of one table with a target in ``window``, if the table exists."""
    platform.tables.ensure_table(spec)
    rows = platform.tables.read(spec, start=first, end=window.end)  # type: ignore[arg-type]
    return rows.filter(pl.col("target_date").is_between(window.start, window.last))


def by_model(scores: pl.DataFrame, window: Window) -> dg.MarkdownMetadataValue:
    """The newest target's scores, a row a model: error and pinball loss beside the random walk's."""
    newest = scores.filter(pl.col("target_date") == window.last)
    table = (
        newest.group_by("model")
        .agg(
            pl.len().alias("forecasts"),
            pl.col("absolute_percentage_error").mean().mul(100).alias("mean error, %"),
            pl.col("inside_80").mean().mul(100).alias("inside 80 %, %"),
            (pl.col("pinball").sum() / pl.col("pinball_random_walk").sum()).alias("loss / random walk"),
        )
        .sort("loss / random walk")
    )
    return table_preview(table, rows=10)
