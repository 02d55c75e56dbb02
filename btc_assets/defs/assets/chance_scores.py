"""Partition D: how the answers to the standard questions about day D did."""

import dagster as dg
import polars as pl

from btc_assets.chances.scores import score_chances
from btc_assets.chances.templates import REACH
from btc_assets.contracts import CHANCE_SCORES, FORECASTS, HORIZONS, RAW_KLINES
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.io.progress import report
from btc_assets.ledger.records import live_hours
from btc_assets.market.calendar import DAY
from btc_assets.scoring.scores import with_live_hours

CHUNK_DAYS = 365
"""Days of targets scored at a time; an origin has targets 90 days ahead, so small chunks repeat work."""


@table_asset(
    CHANCE_SCORES,
    group="forecasts",
    kinds={"polars"},
    code=("chances", "statistics"),
    causes="scores the answers to the standard questions about these days, and those given on them whose "
    "day has closed; issues nothing.",
    deps=[RAW_KLINES.name, FORECASTS.name],
)
def chance_scores(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Ask the standard questions of every forecast with a target in the window, and score the answers.

    Like ``forecast_scores``, it also scores forecasts from the window whose targets closed before it was run.
    """
    window = window_of(context)
    parts = [score_targets(platform, part) for part in window.chunks(CHUNK_DAYS)]
    scores = pl.concat([*parts, score_closed(platform, window)])
    receipt = platform.tables.upsert(CHANCE_SCORES, scores)
    shown = by_kind(scores, window)
    figures = {"targets": scores["target_date"].n_unique(), "answers about the last day": shown}
    brier = {"Brier score of the day": pl.col("brier").mean()}
    return written(context, platform, CHANCE_SCORES, receipt, scores, figures, **brier)


def score_targets(platform: Platform, targets: Window) -> pl.DataFrame:
    """Score the answers about the days in ``targets``."""
    return _score(platform, Window(targets.start - HORIZONS * DAY, targets.end), targets)


def score_closed(platform: Platform, window: Window) -> pl.DataFrame:
    """Score the answers of forecasts from ``window`` about days after it, as far as these have closed."""
    origins = Window(max(window.start, window.end - HORIZONS * DAY), window.end)
    return _score(platform, origins, Window(window.end, window.end + HORIZONS * DAY))


def _score(platform: Platform, origins: Window, targets: Window) -> pl.DataFrame:
    report(platform.settings.root, "scoring chances", 0.0, f"targets {targets}")
    platform.tables.ensure_table(FORECASTS)
    klines = platform.tables.read(RAW_KLINES, start=origins.start - REACH * DAY, end=targets.end)
    issued = platform.tables.read(FORECASTS, start=origins.start, end=origins.end)
    issued = with_live_hours(issued, live_hours(platform.tables, platform.settings.symbol))
    return score_chances(issued, klines, targets.start, targets.last)


def by_kind(scores: pl.DataFrame, window: Window) -> dg.MarkdownMetadataValue:
    """Render the newest day's answers, a row a model and kind: what was said, what happened, Brier scores."""
    newest = scores.filter(pl.col("target_date") == window.last)
    frequency = (pl.col("past_frequency") - pl.col("happened")) ** 2
    table = (
        newest.group_by("model", "kind")
        .agg(
            pl.len().alias("answers"),
            pl.col("chance").mean().mul(100).alias("said, %"),
            pl.col("happened").mean().mul(100).alias("happened, %"),
            pl.col("brier").mean().alias("Brier"),
            frequency.mean().alias("Brier of past frequencies"),
        )
        .sort("kind", "model")
    )
    return table_preview(table, rows=10)
