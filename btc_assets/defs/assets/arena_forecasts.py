"""Partition D: the forecasts of whoever competes, from the close of day D; each costs only itself."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import (
    ARENA_ATTEMPTS,
    ARENA_FORECASTS,
    HORIZONS,
    RAW_KLINES,
    RAW_KLINES_4H,
    TableSpec,
)
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.errors import LedgerError
from btc_assets.forecasters.arena import Arena, Attempt, Key, attempts_frame, forecasts_frame
from btc_assets.forecasters.discovery import Entrant, chosen
from btc_assets.forecasters.market_data import MarketData
from btc_assets.forecasters.protocol import FEATURES
from btc_assets.io.progress import report
from btc_assets.ledger.arena_issue import issue_arena
from btc_assets.ledger.arena_records import published_name
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.continuity import known_heads, remember
from btc_assets.ledger.publishing.sinks import publish_head
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.series import CANDLES, SERIES
from btc_assets.storage.tables import Receipt, read_pair

CHUNK_DAYS = 120
"""Origins between two writes; of each chunk one origin is asked again in an altered world."""


@table_asset(
    ARENA_FORECASTS,
    group="forecasts",
    kinds={"polars"},
    code=("forecasters", "modeling"),
    causes="asks the forecasters that `BTC_FORECASTERS` names for what is not there yet, each in a process "
    "of its own; none by default. What they say is **recorded** for good, and never written again.",
    deps=[RAW_KLINES.name, RAW_KLINES_4H.name, ENGINEERED_FEATURES.name],
    op_tags={"dagster/priority": "-1"},  # nobody who is slow shall delay what is issued
)
def arena_forecasts(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Let every forecaster that is chosen forecast from every origin of the window."""
    window = window_of(context)
    entrants = chosen(platform.settings.forecasters)
    receipt, attempts, published = Receipt(0, 0, 0, -1), list[Attempt](), "nothing new"
    if entrants:
        data = read_data(platform, window)
        for part in window.chunks(CHUNK_DAYS):
            done = (part.start - window.start) / (window.end - window.start)
            report(platform.settings.root, "asking forecasters", done, f"origins {part}")
            found, said = ask(platform, data, entrants, part)
            attempts, published = attempts + found, said or published
        there = sum(attempt.ok for attempt in attempts) * HORIZONS
        receipt = Receipt(there, 0, 0, platform.tables.version(ARENA_FORECASTS))
    tried = attempts_frame(platform.settings.symbol, attempts, platform.now())
    stands = pl.col("outcome") == "ok"
    failed = tried.filter(~stands).select("model", "version", "origin_date", "outcome", "reason")
    figures: dict[str, Any] = {
        "forecasters": ", ".join(each.name for each in entrants) or "none: BTC_FORECASTERS is empty",
        "asked in vain": failed.height,
        "ledger head published": published,
    }
    if failed.height:
        figures["why there is no forecast"] = table_preview(failed, rows=20)
    rows = tried.filter(stands).select("origin_date", horizon=pl.int_ranges(HORIZONS)).explode("horizon")
    return written(context, platform, ARENA_FORECASTS, receipt, rows, figures)


def read_data(platform: Platform, window: Window) -> MarketData:
    """Read every series up to the window, and the candles behind it, which a spot check alters."""
    tables, symbol, end = platform.tables, platform.settings.symbol, window.end + HORIZONS * DAY
    candles = tables.read(RAW_KLINES, end=end).filter(symbol=symbol)
    specs: dict[str, TableSpec] = {s.name: s.newest for s in SERIES if s is not CANDLES}
    specs[FEATURES] = ENGINEERED_FEATURES
    return MarketData(candles, {name: read_pair(tables, s, symbol, end=end) for name, s in specs.items()})


def ask(
    platform: Platform, data: MarketData, entrants: Sequence[Entrant], window: Window
) -> tuple[list[Attempt], str]:
    """Ask for what is not stored, and store what comes of it; returns that and where it was published."""
    tables, symbol = platform.tables, platform.settings.symbol
    for spec in (ARENA_FORECASTS, ARENA_ATTEMPTS):
        tables.ensure_table(spec)
    known = set(data.candles["date"])
    origins = [day for day in window.days if day in known]
    arena = Arena(data, store_variables(platform), stored_keys(platform, window))
    attempts, published = issued(platform, data, arena.compete(entrants, origins))
    tables.upsert(ARENA_ATTEMPTS, attempts_frame(symbol, attempts, platform.now()))
    return attempts, published


def issued(platform: Platform, data: MarketData, attempts: Sequence[Attempt]) -> tuple[list[Attempt], str]:
    """Record and store the forecasts among ``attempts``; returns what came of each, and of publishing it.

    Raises:
        dagster.Failure: the clocks disagree, candles changed meanwhile, or the chain lacks a record that was
            seen before; nothing was stored.
    """
    settings = platform.settings
    rows = forecasts_frame(settings.symbol, [attempt for attempt in attempts if attempt.ok])
    if rows.is_empty():
        return list(attempts), ""
    series = {CANDLES.name: data.candles, **data.series}
    try:
        heads, _ = known_heads(settings, platform.tables, published_name(settings.symbol))
        clock = Clock.read(platform.source)
        found = issue_arena(platform.tables, rows, series, clock, settings.live_hours, heads)
    except LedgerError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    published = ""
    if found.head:
        remember(settings, found.head)
        published = publish_head(settings, platform.tables, found.head)
    judged = [
        attempt.refused() if (attempt.origin, attempt.model, attempt.version) in found.refused else attempt
        for attempt in attempts
    ]
    return judged, published


def stored_keys(platform: Platform, window: Window) -> set[Key]:
    """Return what there are forecasts of."""
    columns, symbol = ["model", "version", "origin_date"], platform.settings.symbol
    rows = read_pair(platform.tables, ARENA_FORECASTS, symbol, columns, window.start, window.end)
    return set(rows.unique().iter_rows())


def store_variables(platform: Platform) -> dict[str, str]:
    """Return the settings that lead to the tables, and no secret."""
    names = ("BTC_DATA_DIR", "BTC_SOURCE", "BTC_SYMBOL")
    return {name: value for name, value in platform.settings.environment().items() if name in names}
