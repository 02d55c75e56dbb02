"""Partition D: the volatility that options imply at the close of day D, if that is switched on."""

import dagster as dg
import polars as pl

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.assets.raw_klines import RECHECKED_DAYS, SOURCE_RETRIES, source_failures
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.errors import ConfigurationError, SourceError
from btc_assets.io.progress import report
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.market.implied_volatility import ImpliedVolatility
from btc_assets.series import IMPLIED
from btc_assets.storage.bitemporal import store_candles, volatility_frame


@table_asset(
    RAW_IMPLIED_VOLATILITY,
    group="market",
    kinds={"deribit"},
    code=("market",),
    causes="nothing while `BTC_IMPLIED_VOLATILITY` is off. Else it asks that source for these days and for "
    "the week before them, one request 41 days, and stores what is new; a restated value becomes a new "
    "version beside the old. A source that fails is no failure: the forecasts go without.",
    deps=["offered_volatility"],
    retry_policy=SOURCE_RETRIES,
)
def raw_implied_volatility(
    context: dg.AssetExecutionContext, platform: Platform
) -> dg.MaterializeResult[None]:
    """Fetch the window's values and those of the days before it that are checked again.

    A source that fails, is late or cannot be believed holds up no forecast: it stores nothing, the forecasts
    of these days are made without, their records say so, and the next seven days' runs ask again.
    """
    window = window_of(context)
    values, said = ask(platform, window)
    if said:
        context.log.warning(f"forecasts of {window} go without implied volatility: {said}")
    with source_failures(context):
        frame = volatility_frame(values, platform.now())
        stored = store_candles(platform.tables, frame, platform.now(), IMPLIED)
    rows = frame.filter(pl.col("date") >= window.start)
    absent = sorted(set(window.days) - set(rows["date"]))
    figures = {
        "source": platform.settings.implied_volatility,
        "what the source said": said or "nothing wrong",
        "days without a value": len(absent),
        "the last of them": [day.isoformat() for day in absent[-10:]],
        "restated values": [day.isoformat() for day in sorted(stored.restated["date"])],
        "newest values": table_preview(rows.drop("symbol", "ingested_at")),
    }
    daily = {"implied volatility (% a year)": pl.col("volatility").first()}
    return written(context, platform, RAW_IMPLIED_VOLATILITY, stored.receipt, rows, figures, **daily)


def ask(platform: Platform, window: Window) -> tuple[list[ImpliedVolatility], str]:
    """Return the values of the window and of the days before it, and why there are none, if it went wrong."""
    source, settings = platform.volatility_source, platform.settings
    if source is None:
        return [], ""
    start = max(FIRST_DAY, window.start - RECHECKED_DAYS * DAY)
    report(settings.root, "loading implied volatility", 0.0, f"{window}")
    try:
        return source.implied_volatility(settings.symbol, start, window.end), ""
    except (SourceError, ConfigurationError) as error:
        return [], str(error)
