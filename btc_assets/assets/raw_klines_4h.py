"""Partition D: the closed 4-hour candles of day D, which tell how much the price moved within it."""

import datetime as dt

import dagster as dg
import polars as pl

from btc_assets.assets.describe import known_at, last_day_only, table_asset, table_preview, written
from btc_assets.assets.raw_klines import RECHECKED_DAYS, SOURCE_RETRIES, asking
from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H
from btc_assets.frames import klines_frame
from btc_assets.ledger.candles import BARS, land
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS
from btc_assets.partitions import Window, window_of
from btc_assets.progress import report
from btc_assets.resources import Platform


@table_asset(
    RAW_KLINES_4H,
    group="market",
    kinds={"binance"},
    deps=[RAW_KLINES.name],
    tags={"domain": "market"},
    retry_policy=SOURCE_RETRIES,
)
def raw_klines_4h(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Fetch the window's 4-hour candles and those of the days before it that are checked again.

    Only those of a day that has its daily candle are kept: what ``raw_klines`` holds back for a person
    waits here too. A day without them is no failure: its features say so, and its forecast goes by the
    day's own range.
    """
    window = window_of(context)
    start = max(FIRST_DAY, window.start - RECHECKED_DAYS * DAY)
    closed = platform.tables.read(RAW_KLINES, ["symbol", "date"], start=start, end=window.end)
    days = closed.filter(pl.col("symbol") == platform.settings.symbol)
    with asking(context):
        bars = fetch(platform, Window(start, window.end)).join(days, on=["symbol", "date"], how="semi")
    landing = land(platform.tables, bars, platform.now(), BARS)
    rows = bars.filter(pl.col("date") >= window.start)
    without = sorted(set(days.filter(pl.col("date") >= window.start)["date"]) - set(rows["date"]))
    last_day_only(
        context, window, {"newest candles": table_preview(rows.drop("symbol", "date", "close_time"), rows=6)}
    )
    return dg.MaterializeResult(
        metadata=written(platform, RAW_KLINES_4H, window, landing.receipt, rows.height)
        | {
            "known at": known_at(window),
            "days without 4-hour candles": len(without),
            "the last of them": [d.isoformat() for d in without[-10:]],
            "restated candles": [t.isoformat() for t in sorted(landing.restated["open_time"])],
        }
    )


def fetch(platform: Platform, window: Window) -> pl.DataFrame:
    """The window's 4-hour candles as rows of ``raw_klines_4h``.

    Raises:
        SourceError: whatever the source raises.
    """
    settings = platform.settings
    report(settings.root, "loading history", 0.5, f"4-hour candles of {len(window.days):,} days")
    klines = platform.source.klines(settings.symbol, window.start, window.end, FOUR_HOURS)
    return klines_frame(klines, platform.now(), RAW_KLINES_4H)


def bars_between(platform: Platform, start: dt.date, end: dt.date) -> pl.DataFrame:
    """The stored 4-hour candles of the days [start, end), none if there are none."""
    platform.tables.ensure_table(RAW_KLINES_4H)
    return platform.tables.read(RAW_KLINES_4H, start=start, end=end)
