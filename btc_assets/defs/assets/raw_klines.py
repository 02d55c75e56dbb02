"""Partition D: the closed candle of day D, as the exchange gives it."""

import contextlib
import datetime as dt
from collections.abc import Iterator

import dagster as dg
import polars as pl
from pydantic import Field

from btc_assets.contracts import RAW_KLINES
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.landing_function import land_missing
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.errors import (
    BadCandle,
    ConfigurationError,
    NoDataYet,
    SourceError,
    SourceRefused,
    StorageError,
    StorageUnavailable,
    WriteConflict,
)
from btc_assets.io.progress import report
from btc_assets.market.anomalies import hold_jumps
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.kline import Kline
from btc_assets.storage.bitemporal import klines_frame, store_candles
from btc_assets.storage.tables import read_pair
from btc_assets.vocabulary import WORKER_TAG

RECHECKED_DAYS = 7
"""Every run asks for this many earlier days too: they cost no request and show what was restated."""

PERMANENT = (BadCandle, NoDataYet, SourceRefused)
"""Errors that a retry a few minutes later cannot mend."""

SOURCE_RETRIES = dg.RetryPolicy(
    max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


class ReleasedDays(dg.Config):
    """Days whose price jump a person has looked at and lets pass (YYYY-MM-DD)."""

    released_days: list[str] = Field(default_factory=list)


@table_asset(
    RAW_KLINES,
    group="market",
    kinds={"binance"},
    code=("market",),
    causes="asks the source for these days and for the week before them, one request a thousand days, and "
    "stores what is new; a restated candle becomes a new version beside the old. With `BTC_LANDING_FUNCTION` "
    "that Lambda first lands the days that are not landed.",
    deps=["exchange_klines"],
    retry_policy=SOURCE_RETRIES,
)
def raw_klines(
    context: dg.AssetExecutionContext, config: ReleasedDays, platform: Platform
) -> dg.MaterializeResult[None]:
    """Fetch the window's candles, keep what is new, record what the exchange restated."""
    window = window_of(context)
    with source_failures(context):
        landed = land_missing(context, platform, window)
        fetched = fetch_candles(platform, window, [dt.date.fromisoformat(d) for d in config.released_days])
        stored = store_candles(platform.tables, fetched, platform.now())
    rows = fetched.filter(pl.col("date") >= window.start)
    if rows.is_empty():
        refuse_before_listing(platform, window)
    absent = sorted(set(window.days) - set(rows["date"]))
    unpublished = [d for d in absent if rows.is_empty() or d > rows["date"].max()]  # type: ignore[operator]
    if unpublished:
        raise dg.Failure(unpublished_message(platform, unpublished, rows.height), allow_retries=False)
    figures = {
        "days without a candle": [d.isoformat() for d in absent],
        "restated candles": [d.isoformat() for d in sorted(stored.restated["date"])],
        "newest candles": table_preview(rows.drop("symbol", "open_time", "close_time")),
        **landed,
    }
    daily = {"close (USDT)": pl.col("close").first(), "volume (BTC)": pl.col("volume").first()}
    return written(context, platform, RAW_KLINES, stored.receipt, rows, figures, **daily)


@contextlib.contextmanager
def source_failures(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn errors of source and store into failures that Dagster retries only where that can help."""
    try:
        yield
    except SourceError as error:
        # A person who waits at a terminal has seen the source's own retries; Dagster's may come later.
        retryable = WORKER_TAG not in context.run.tags and not isinstance(error, PERMANENT)
        raise dg.Failure(str(error), allow_retries=retryable) from error
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as error:
        if WORKER_TAG not in context.run.tags:
            raise
        # Dagster would try an interrupted step again, and the person who interrupts it would wait for it.
        raise dg.Failure("it was interrupted", allow_retries=False) from error
    except (StorageUnavailable, WriteConflict):
        raise
    except (ConfigurationError, StorageError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def fetch_candles(platform: Platform, window: Window, released: list[dt.date]) -> pl.DataFrame:
    """Fetch the candles of the window and of the days before it that are checked again.

    Raises:
        HeldCandle: a price that cannot follow from the day before, on a day nobody released.
        SourceError: whatever the source raises.
    """
    settings = platform.settings
    before = stored_before(platform, window.start)
    recheck = before.filter(pl.col("date") >= window.start - RECHECKED_DAYS * DAY)["date"]
    start = min(recheck.to_list(), default=window.start)
    report(settings.root, "loading candles", 0.0, f"{(window.end - start).days:,} days")
    klines = platform.source.klines(settings.symbol, start, window.end)
    hold_jumps(klines, newest_kline(before.filter(pl.col("date") < start)), released)
    return klines_frame(klines, platform.now())


def stored_before(platform: Platform, day: dt.date) -> pl.DataFrame:
    """Read the stored candles of the month before ``day``, oldest first."""
    platform.tables.ensure_table(RAW_KLINES)
    return read_pair(platform.tables, RAW_KLINES, platform.settings.symbol, start=day - 31 * DAY, end=day)


def newest_kline(candles: pl.DataFrame) -> Kline | None:
    """Return the last of ``candles``, to compare the next price with."""
    return None if candles.is_empty() else Kline(**candles.drop("ingested_at").row(-1, named=True))


def refuse_before_listing(platform: Platform, window: Window) -> None:
    """Raise dagster.Failure if the pair's first candle came after ``window``."""
    symbol = platform.settings.symbol
    first = platform.source.first_day(symbol)
    if first is not None and first > window.last:
        raise dg.Failure(
            f"the first candle of {symbol} is that of {first}: there is none for {window}; begin there",
            allow_retries=False,
        )


def unpublished_message(platform: Platform, days: list[dt.date], kept: int) -> str:
    """Return why the newest days of the window have no candle, and when to come back."""
    first, last = days[0], days[-1]
    settings = platform.settings
    which = f"{first}" if first == last else f"{first} to {last}"
    message = f"{settings.source} has no closed {settings.symbol} candle for {which} yet. "
    message += f"The candle of {last} is final at {closes_at(last):%Y-%m-%d %H:%M} UTC"
    if settings.source == "archive":
        message += "; Binance publishes a day's dump some hours later and a month's in the month after"
    message += f". Nothing was written for these days; {kept} earlier days of the run were kept."
    return message + " Materialise them again then; the catch-up sensor does so by itself."
