"""Partition D: the scores of every forecast of day D, of networks, baselines and forecasters."""

import dagster as dg
import polars as pl

from btc_assets.contracts import (
    ARENA_FORECASTS,
    BASELINE_FORECASTS,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    RAW_KLINES,
    TableSpec,
)
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.io.progress import report
from btc_assets.ledger.records import live_hours
from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import REACH
from btc_assets.scoring.scores import first_issued, score
from btc_assets.vocabulary import ENSEMBLE

CHUNK_DAYS = 31
"""Days of targets scored at a time: a year of forecasts at once would fill memory for nothing."""


@table_asset(
    FORECAST_SCORES,
    group="forecasts",
    kinds={"polars"},
    code=("scoring", "statistics"),
    causes="scores the stored forecasts of these days, and those made on them whose target has closed; "
    "issues nothing.",
    deps=[RAW_KLINES.name, FORECASTS.name, BASELINE_FORECASTS.name, ARENA_FORECASTS.name],
)
def forecast_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Score the forecasts whose target lies in the window; a target nobody forecast yet is no error.

    Forecasts from the window's days may be of targets that closed since and were scored without them: after
    an outage the newest day is run first. They are scored now, so that the order of runs does not matter.
    """
    window = window_of(context)
    scores = pl.concat(
        [score_targets(platform, part) for part in window.chunks(CHUNK_DAYS)]
        + scores_of_closed_targets(platform, window)
    )
    receipt = platform.tables.upsert(FORECAST_SCORES, scores)
    shown = scores_by_model(scores, window)
    figures = {"targets": scores["target_date"].n_unique(), "scores of the last day": shown}
    mine = pl.col("model") == ENSEMBLE
    ratio = pl.col("pinball").filter(mine).sum() / pl.col("pinball_random_walk").filter(mine).sum()
    daily = {"ensemble's loss / random walk's": ratio}
    return written(context, platform, FORECAST_SCORES, receipt, scores, figures, **daily)


def score_targets(platform: Platform, targets: Window, origins: Window | None = None) -> pl.DataFrame:
    """Score every stored forecast of a day in ``targets``, made on a day of ``origins`` or on any."""
    report(platform.settings.root, "scoring", 0.0, f"targets {targets}")
    origins = origins or Window(targets.start - HORIZONS * DAY, targets.end)
    klines = platform.tables.read(RAW_KLINES, start=origins.start - REACH * DAY, end=targets.end)
    issued = [read_forecasts(platform, spec, origins, targets) for spec in (FORECASTS, BASELINE_FORECASTS)]
    if platform.tables.exists(ARENA_FORECASTS):
        issued.append(first_issued(read_forecasts(platform, ARENA_FORECASTS, origins, targets)))
    hours = live_hours(platform.tables, platform.settings.symbol)
    return score(pl.concat(issued), klines, hours)


def scores_of_closed_targets(platform: Platform, window: Window) -> list[pl.DataFrame]:
    """Score the forecasts from ``window`` whose targets lie after it and have closed; mostly none."""
    reach = Window(window.end, window.end + HORIZONS * DAY)
    closed = platform.tables.read(RAW_KLINES, ["date"], start=reach.start, end=reach.end)["date"]
    if closed.is_empty():
        return []
    targets = Window(reach.start, max(closed.to_list()) + DAY)
    return [
        score_targets(platform, targets, Window(max(window.start, window.end - HORIZONS * DAY), window.end))
    ]


def read_forecasts(platform: Platform, spec: TableSpec, origins: Window, targets: Window) -> pl.DataFrame:
    """Read the forecasts of one table from ``origins`` with a target in ``targets``."""
    platform.tables.ensure_table(spec)
    rows = platform.tables.read(spec, start=origins.start, end=origins.end)
    return rows.filter(pl.col("target_date").is_between(targets.start, targets.last))


def scores_by_model(scores: pl.DataFrame, window: Window) -> dg.MarkdownMetadataValue:
    """Render the newest target's scores, a row a model: error and pinball loss beside the random walk's."""
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
