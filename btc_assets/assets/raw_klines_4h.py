"""Partition D: the closed 4-hour candles of day D, which tell how much the price moved within it."""

import datetime as dt

import dagster as dg
import polars as pl

from btc_assets.assets.describe import known_at, last_day_only, table_asset, table_preview, written
from btc_assets.assets.raw_klines import RECHECKED_DAYS, SOURCE_RETRIES, may_help_later
from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H
from btc_assets.errors import BadCandle, ConfigurationError, SourceError
from btc_assets.frames import klines_frame
from btc_assets.ledger.candles import BARS, land
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS
from btc_assets.market.kline import Kline
from btc_assets.partitions import Window, window_of
from btc_assets.progress import report
from btc_assets.resources import Platform

MOST_ASKED = 64
"""Questions that a run puts to the source to find which days it cannot believe."""

LONGEST_WITHOUT = 2 * RECHECKED_DAYS * DAY
"""How many days in a row a run may go on without; it asks for a week of its own and the one before, as does
the next, so that whatever is missing for longer would never be asked for again."""


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
    waits here too. A day without them is no failure, nor are candles that cannot be believed or had: its
    features say so, its forecast goes by the day's own range, and a check warns.
    """
    window = window_of(context)
    start = max(FIRST_DAY, window.start - RECHECKED_DAYS * DAY)
    closed = platform.tables.read(RAW_KLINES, ["symbol", "date"], start=start, end=window.end)
    days = closed.filter(pl.col("symbol") == platform.settings.symbol)
    report(platform.settings.root, "loading history", 0.5, f"4-hour candles of {window}")
    klines, refused = believable(context, platform, Window(start, window.end))
    bars = klines_frame(klines, platform.now(), RAW_KLINES_4H).join(days, on=["symbol", "date"], how="semi")
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
            "refused": refused,
            "restated candles": [t.isoformat() for t in sorted(landing.restated["open_time"])],
        }
    )


def believable(
    context: dg.AssetExecutionContext, platform: Platform, window: Window
) -> tuple[list[Kline], dict[str, str]]:
    """The window's 4-hour candles, and by days why there are none.

    What cannot be believed is narrowed down to its days by halving. A source that cannot be reached is asked
    again by Dagster's retries, and in the end gone on without, if later runs will ask for the same days.

    Raises:
        dagster.Failure: Dagster shall try again later, or nobody would; or the configuration is wrong.
    """
    klines: list[Kline] = []
    refused: dict[str, str] = {}
    parts, asked = [window], 0
    while parts:
        part, asked = parts.pop(), asked + 1
        try:
            klines += platform.source.klines(platform.settings.symbol, part.start, part.end, FOUR_HOURS)
        except ConfigurationError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        except SourceError as error:
            if may_help_later(context, error) and context.retry_number < SOURCE_RETRIES.max_retries:
                raise dg.Failure(str(error)) from error
            if isinstance(error, BadCandle) and part.start < part.last and asked < MOST_ASKED:
                middle = part.start + (part.end - part.start) // 2
                parts += [Window(middle, part.end), Window(part.start, middle)]
                continue
            if part.end - part.start > LONGEST_WITHOUT:
                raise dg.Failure(f"no 4-hour candles of {part}: {error}", allow_retries=False) from error
            context.log.warning(f"no 4-hour candles of {part}: {error}")
            refused[str(part)] = str(error)
    return klines, refused


def bars_between(platform: Platform, start: dt.date, end: dt.date) -> pl.DataFrame:
    """The stored 4-hour candles of the days [start, end), none if there are none."""
    platform.tables.ensure_table(RAW_KLINES_4H)
    return platform.tables.read(RAW_KLINES_4H, start=start, end=end)
