"""Partition D: stationary features from the candles up to day D."""

import dagster as dg
import polars as pl

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY, RAW_KLINES, RAW_KLINES_4H
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.assets.raw_klines import RECHECKED_DAYS
from btc_assets.defs.partitions import window_of
from btc_assets.defs.resources import Platform
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES, FEATURES, LOOKBACK, engineer
from btc_assets.modeling.history import LOG_IMPLIED, LOG_REALISED
from btc_assets.series import BARS, CANDLES, IMPLIED
from btc_assets.storage.bitemporal import newest


@table_asset(
    ENGINEERED_FEATURES,
    group="features",
    kinds={"polars"},
    code=("modeling",),
    causes="derives these days from stored candles, and again the year after them where a candle was "
    "restated; asks no source.",
    deps=[RAW_KLINES.name, RAW_KLINES_4H.name, RAW_IMPLIED_VOLATILITY.name],
)
def engineered_features(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Derive the window's features, and again those of days whose candles may have been restated.

    A candle of the window, or of the days that raw_klines checks again, reaches features up to
    ``LOOKBACK`` days later; equal rows are left alone, so this costs one comparison.
    """
    window = window_of(context)
    start = window.start - RECHECKED_DAYS * DAY
    end = window.end + LOOKBACK * DAY
    klines = platform.tables.read(RAW_KLINES, start=start - LOOKBACK * DAY, end=end)
    platform.tables.ensure_table(RAW_KLINES_4H)
    bars = platform.tables.read(RAW_KLINES_4H, start=start, end=end)
    implied = newest(platform.tables, platform.settings.symbol, IMPLIED, end=end)
    series = {CANDLES.name: klines, BARS.name: bars, IMPLIED.name: implied}
    derived = engineer(series).filter(pl.col("date") >= start)
    receipt = platform.tables.upsert(ENGINEERED_FEATURES, derived)
    rows = derived.filter(pl.col("date").is_between(window.start, window.last))
    lacking = rows.filter(pl.any_horizontal(pl.col(f.name).is_null() for f in FEATURES))
    figures = {
        "days with a null (too little history)": lacking.height,
        "days without 4-hour candles": rows[LOG_REALISED].null_count(),
        "days without implied volatility": rows[LOG_IMPLIED].null_count(),
        "newest features": table_preview(rows.drop("symbol")),
    }
    variance = {"log of the day's variance": pl.col(LOG_REALISED).first()}
    return written(context, platform, ENGINEERED_FEATURES, receipt, rows, figures, **variance)
