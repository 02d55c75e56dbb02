"""Partition D: the closed 4-hour candles of day D, which tell how much the price moved within it."""

import datetime as dt
from collections.abc import Collection

import dagster as dg
import polars as pl
from pydantic import Field

from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.assets.raw_klines import RECHECKED_DAYS, SOURCE_RETRIES, source_failures
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import windows
from btc_assets.errors import BadCandle
from btc_assets.io.progress import report
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, days
from btc_assets.market.kline import Kline
from btc_assets.series import BARS
from btc_assets.storage.bitemporal import klines_frame, store_candles


class SkippedDays(dg.Config):
    """Days that shall do without 4-hour candles: a person has looked at what the source has (YYYY-MM-DD)."""

    days_without: list[str] = Field(default_factory=list)


@table_asset(
    RAW_KLINES_4H,
    group="market",
    kinds={"binance"},
    code=("market",),
    causes="asks the source for the 4-hour candles of these days and of the week before them, one request "
    "166 days, and stores those of days that raw_klines has.",
    deps=["exchange_klines", RAW_KLINES.name],
    retry_policy=SOURCE_RETRIES,
)
def raw_klines_4h(
    context: dg.AssetExecutionContext, config: SkippedDays, platform: Platform
) -> dg.MaterializeResult[None]:
    """Fetch the window's 4-hour candles and those of the days before it that are checked again.

    Only those of a day that has its daily candle are kept: what ``raw_klines`` holds back for a person
    waits here too. A day of which the source has none is no failure: its features say so, its forecast goes
    by the day's own range, and a check warns. A source that fails, or whose candles cannot be believed, is
    one, as it is for daily candles: else a forecast would depend on when it was asked.
    """
    window = window_of(context)
    start = max(FIRST_DAY, window.start - RECHECKED_DAYS * DAY)
    closed = platform.tables.read(RAW_KLINES, ["symbol", "date"], start=start, end=window.end)
    candles = closed.filter(pl.col("symbol") == platform.settings.symbol)
    report(platform.settings.root, "loading 4-hour candles", 0.0, f"{window}")
    skipped = {dt.date.fromisoformat(day) for day in config.days_without}
    with source_failures(context):
        klines = fetch_bars(context, platform, window, start, skipped)
        bars = klines_frame(klines, platform.now(), RAW_KLINES_4H).join(
            candles, on=["symbol", "date"], how="semi"
        )
        stored = store_candles(platform.tables, bars, platform.now(), BARS)
    rows = bars.filter(pl.col("date") >= window.start)
    without = sorted(set(candles.filter(pl.col("date") >= window.start)["date"]) - set(rows["date"]))
    figures = {
        "days without 4-hour candles": len(without),
        "the last of them": [d.isoformat() for d in without[-10:]],
        "restated candles": [t.isoformat() for t in sorted(stored.restated["open_time"])],
        "newest candles": table_preview(rows.drop("symbol", "date", "close_time"), rows=6),
    }
    return written(context, platform, RAW_KLINES_4H, stored.receipt, rows, figures)


def fetch_bars(
    context: dg.AssetExecutionContext,
    platform: Platform,
    window: Window,
    start: dt.date,
    skipped: Collection[dt.date],
) -> list[Kline]:
    """Fetch the 4-hour candles from ``start`` to the window's end, but for the days ``skipped``.

    If candles before the window cannot be believed, the window alone is asked for.

    Raises:
        SourceError: whatever the source raises of the window's days.
    """

    def ask(first: dt.date) -> list[Kline]:
        parts = windows(set(days(first, window.end)) - set(skipped))
        source, symbol = platform.source, platform.settings.symbol
        return [bar for part in parts for bar in source.klines(symbol, part.start, part.end, FOUR_HOURS)]

    try:
        return ask(start)
    except BadCandle as error:
        if start == window.start:
            raise
        context.log.warning(f"4-hour candles before {window.start} were not checked again: {error}")
        return ask(window.start)
