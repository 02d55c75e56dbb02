"""Partition D of a network: the vintage in force for origin D, trained on targets known by its cutoff."""

import base64
import datetime as dt
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import HYPERPARAMETERS, NETWORKS, RAW_KLINES, VINTAGES_IN_FORCE
from btc_assets.defs.assets.hyperparameters import tuned_hyperparameters
from btc_assets.defs.assets.metadata import table_asset, written
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.errors import FitFailed, NotEnoughHistory
from btc_assets.io.progress import report
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.vintages import VintageBook, grid_cutoff, sound_before
from btc_assets.storage.registry.protocol import ModelRef
from btc_assets.storage.tables import read_pair

DESCRIPTIONS = {
    "mlp": "A multilayer perceptron that reads today's features",
    "lstm": "A long short-term memory network that reads a window of days",
}
FIT_POOL = "fit"
"""Dagster's concurrency pool for fitting: one at a time on a machine, so that no two fight for its cores."""


def network_asset(kind: str) -> dg.AssetsDefinition:
    """Build the asset ``<kind>_model``."""

    @table_asset(
        VINTAGES_IN_FORCE,
        group="models",
        kinds={"keras"},
        code=("modeling",),
        causes="fits a vintage for every `BTC_REFIT_EVERY`-th day (7) of these days that has none yet, one "
        "at a time on all cores; days in between carry the one before, which costs next to nothing. No "
        "vintage is fitted twice, replaced or deleted.",
        deps=[RAW_KLINES.name, ENGINEERED_FEATURES.name, HYPERPARAMETERS.name],
        name=f"{kind}_model",
        description=f"{DESCRIPTIONS[kind]} and says how wide the random walk's quantiles should be, 1 to 90 "
        "days ahead. A partition refers to the registered vintage in force for that day; a new one is fitted "
        "on a fixed grid of days and comes into force only if it is sound.",
        pool=FIT_POOL,
    )
    def network(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
        window = window_of(context)
        book = open_book(platform, window, fits_reported(platform, kind, window))
        days = days_with_vintage(book, kind, window)
        rows = book.rows(kind, days)
        receipt = platform.tables.upsert(VINTAGES_IN_FORCE, rows)
        newest = book.in_force(kind, days[-1])
        figures: dict[str, Any] = {
            "vintage in force": str(newest.ref.vintage),
            "why": newest.reason,
            "vintages used": rows["vintage"].n_unique(),
            "days held back": rows.filter(rows["action"] == "held_back").height,
            "days with too little history": len(window.days) - len(days),
        } | {f"metric {name}": value for name, value in newest.ref.metrics.items()}
        if days[-1] == window.last:
            figures["model card"] = render_model_card(platform, newest.ref)
        daily = {
            "vintage": pl.col("vintage").first().cast(pl.String),
            "action": pl.col("action").first(),
            "age of the vintage, days": (pl.col("date") - pl.col("vintage")).dt.total_days().first(),
        }
        return written(context, platform, VINTAGES_IN_FORCE, receipt, rows, figures, **daily)

    return network


def fits_reported(platform: Platform, kind: str, window: Window) -> Callable[[dt.date], None]:
    """Return what reports the progress of the window's fits, called before each of them."""
    every = platform.settings.refit_every
    cutoffs = {grid_cutoff(day, every) for day in window.days}
    expected, fits = len(cutoffs) + 1, count()  # the first is judged against its predecessor

    def on_fit(cutoff: dt.date) -> None:
        done = min(next(fits) / expected, 1.0)
        report(platform.settings.root, f"fitting the {kind.upper()}", done, f"vintage of {cutoff}")

    return on_fit


def open_book(
    platform: Platform, window: Window, on_fit: Callable[[dt.date], None] = lambda _: None
) -> VintageBook:
    """Open the vintages as known at the window's end: every candle and feature up to it, none after."""
    klines = platform.tables.read(RAW_KLINES, end=window.end)
    features = platform.tables.training_rows(ENGINEERED_FEATURES, window.end)
    mine = read_pair(platform.tables, VINTAGES_IN_FORCE, platform.settings.symbol, end=window.end)
    return VintageBook(
        platform.registry,
        klines,
        features,
        platform.settings.refit_every,
        hyperparameters=tuned_hyperparameters(platform),
        known_sound=sound_before(mine),
        on_fit=on_fit,
    )


def days_with_vintage(book: VintageBook, kind: str, window: Window) -> list[dt.date]:
    """Return the days of the window that have a vintage, after fitting those that are missing.

    Raises:
        dagster.Failure: no day has enough history before it, or a fit failed with none to fall back on.
    """
    found, reason = [], ""
    for day in window.days:
        try:
            book.in_force(kind, day)
            found.append(day)
        except NotEnoughHistory as error:
            reason = str(error)
        except FitFailed as error:
            raise dg.Failure(f"{kind} for {day}: {error}", allow_retries=False) from error
    if not found:
        raise dg.Failure(f"no {kind} vintage for {window}: {reason}", allow_retries=False)
    return found


def render_model_card(platform: Platform, ref: ModelRef) -> dg.MarkdownMetadataValue:
    """Return the vintage's model card with its pictures inside, as Dagster shows it."""
    folder = platform.registry.model_folder(ref)
    text = (folder / "card.md").read_text(encoding="utf-8")
    for picture in folder.glob("*.png"):
        text = text.replace(f"({picture.name})", f"({_inline(picture)})")
    return dg.MetadataValue.md(text)


def _inline(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


mlp_model, lstm_model = (network_asset(kind) for kind in NETWORKS)
