"""Checks of candles and features."""

import numpy as np
import polars as pl

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY, RAW_KLINES, RAW_KLINES_4H
from btc_assets.defs.checks.results import Context, Results, contract_result, multi_check, result
from btc_assets.defs.resources import Platform
from btc_assets.market.anomalies import flags
from btc_assets.market.calendar import DAY, days
from btc_assets.market.implied_volatility import LARGEST
from btc_assets.market.kline import Kline
from btc_assets.modeling.features import ENGINEERED_FEATURES, NAMES, stale_days
from btc_assets.modeling.history import LOG_IMPLIED, LOG_REALISED, history
from btc_assets.modeling.realised_volatility import log_realised
from btc_assets.series import SERIES
from btc_assets.storage.bitemporal import newest

CANDLES, BARS, FEATURES = RAW_KLINES.name, RAW_KLINES_4H.name, ENGINEERED_FEATURES.name
IMPLIED = RAW_IMPLIED_VOLATILITY.name
RECENT = 400 * DAY
POSSIBLE = "high >= open, close >= low > 0; takers bought no more than was traded."


@multi_check(
    "raw_klines_checks",
    CANDLES,
    {
        "no_missing_day": "Every day from the first candle to the newest has one.",
        "no_unusual_bar": "No bar of the last 400 days was cut short by an outage or traded thinly.",
    },
    contract=True,
    blocking={"no_impossible_candle": POSSIBLE},
)
def raw_klines_checks(_: Context, platform: Platform) -> Results:
    """Check the stored daily candles."""
    candles = platform.tables.read(RAW_KLINES)
    rows = candles.height
    yield contract_result(RAW_KLINES, candles)
    yield result(CANDLES, "no_impossible_candle", invalid_candles(candles), checked=rows)
    dates = candles["date"].to_list()
    absent = sorted(set(days(dates[0], dates[-1])) - set(dates)) if dates else []
    lacking = [f"no candle for {d}" for d in absent]
    yield result(CANDLES, "no_missing_day", lacking, warn=True, checked=len({*dates, *absent}))
    recent = min(rows, RECENT.days)
    yield result(CANDLES, "no_unusual_bar", unusual_candles(candles), warn=True, checked=recent)


def invalid_candles(candles: pl.DataFrame) -> list[str]:
    """List candles that cannot be true, each with its day."""
    price = pl.col("open", "high", "low", "close")
    possible = (
        pl.all_horizontal(price.is_finite() & (price > 0))
        & (pl.col("high") >= pl.max_horizontal("open", "close", "low"))
        & (pl.col("low") <= pl.min_horizontal("open", "close"))
        & (pl.col("taker_buy_base") <= pl.col("volume"))
        & (pl.col("taker_buy_quote") <= pl.col("quote_volume"))
        & pl.all_horizontal(
            pl.col("volume", "quote_volume", "taker_buy_base").is_between(0, float("inf"), "left")
        )
    )
    rows = candles.filter(~possible | possible.is_null())
    return [
        f"{r['date']}: {r}" for r in rows.select("date", "open", "high", "low", "close", "volume").to_dicts()
    ]


def unusual_candles(candles: pl.DataFrame) -> list[str]:
    """List recent candles that an outage cut short, that are thin, or whose volume does not fit."""
    if candles.is_empty():
        return []
    end = candles["date"][-1] + DAY
    start = end - RECENT
    recent = candles.filter(pl.col("date") >= start - 30 * DAY).drop("ingested_at")
    klines = [Kline(**row) for row in recent.to_dicts()]
    first = max(start, klines[0].date)
    return [f"{f.date} {f.kind}: {f.detail}" for f in flags(klines, first, end) if f.kind != "gap"]


@multi_check(
    "raw_klines_4h_checks",
    BARS,
    {
        "every_day_has_its_bars": "Every daily candle has 4-hour candles enough; without them its volatility "
        "is that of its range.",
        "within_their_day": "No bar of the last 400 days reaches beyond its day's candle.",
    },
    contract=True,
    blocking={"no_impossible_candle": POSSIBLE},
)
def raw_klines_4h_checks(_: Context, platform: Platform) -> Results:
    """Check the stored 4-hour candles."""
    bars, candles = platform.tables.read(RAW_KLINES_4H), platform.tables.read(RAW_KLINES)
    rows, recent = bars.height, min(candles.height, RECENT.days)
    yield contract_result(RAW_KLINES_4H, bars)
    yield result(BARS, "no_impossible_candle", invalid_candles(bars), checked=rows)
    mine = pl.col("symbol") == platform.settings.symbol
    lacking = days_without_bars(candles.filter(mine), bars.filter(mine))
    yield result(BARS, "every_day_has_its_bars", lacking, warn=True, checked=candles.height)
    beyond = bars_beyond_their_day(bars, candles)
    yield result(BARS, "within_their_day", beyond, warn=True, checked=recent)


def days_without_bars(candles: pl.DataFrame, bars: pl.DataFrame) -> list[str]:
    """List the days that have too few whole bars to tell their volatility, newest first."""
    if candles.is_empty():
        return []
    h = history(candles)
    few = np.isnan(log_realised(bars, h)) & ~np.isnan(h.close)
    return [f"too few on {h.first + int(place) * DAY}" for place in np.flatnonzero(few)[::-1]]


def bars_beyond_their_day(bars: pl.DataFrame, candles: pl.DataFrame) -> list[str]:
    """List recent days whose 4-hour candles reach beyond the day's own extremes: one was restated."""
    if bars.is_empty():
        return []
    recent = bars.filter(pl.col("date") > bars["date"][-1] - RECENT)
    reach = recent.group_by("symbol", "date").agg(pl.col("high").max(), pl.col("low").min())
    both = reach.join(candles, on=["symbol", "date"], suffix="_day").sort("date")
    wrong = both.filter((pl.col("high") > pl.col("high_day")) | (pl.col("low") < pl.col("low_day")))
    return [
        f"{r['date']}: {r['low']} to {r['high']}, the day {r['low_day']} to {r['high_day']}"
        for r in wrong.to_dicts()
    ]


@multi_check(
    "raw_implied_volatility_checks",
    IMPLIED,
    {
        "every_day_has_its_value": "Every candle since the first value has one, if it is on; a forecast does "
        "without else.",
    },
    contract=True,
    blocking={"no_impossible_value": f"Every value is above 0 and below {LARGEST:g} %."},
)
def raw_implied_volatility_checks(_: Context, platform: Platform) -> Results:
    """Check the stored values of implied volatility; nothing is wrong where it is off."""
    values = platform.tables.read(RAW_IMPLIED_VOLATILITY)
    rows = values.height
    yield contract_result(RAW_IMPLIED_VOLATILITY, values)
    possible = pl.col("volatility").is_between(0, LARGEST, "none")
    wrong = [f"{d}: {v} %" for d, v in values.filter(~possible).select("date", "volatility").iter_rows()]
    yield result(IMPLIED, "no_impossible_value", wrong, checked=rows)
    lacking = days_without_value(platform, values)
    yield result(IMPLIED, "every_day_has_its_value", lacking, warn=True, checked=rows)


def days_without_value(platform: Platform, values: pl.DataFrame) -> list[str]:
    """List the candles since the first value that have none, newest first; nothing while it is off."""
    if platform.volatility_source is None:
        return []
    candles = platform.tables.read(RAW_KLINES, columns=["symbol", "date"])
    mine = candles.filter(pl.col("symbol") == platform.settings.symbol)
    since = mine.filter(pl.col("date") >= values["date"].min()) if values.height else mine.tail(1)
    lacking = since.join(values, on=["symbol", "date"], how="anti")["date"].sort(descending=True)
    return [f"no value for {day}" for day in lacking]


@multi_check(
    "engineered_features_checks",
    FEATURES,
    {
        "as_long_as_the_candles": "Every candle has its features.",
        "know_their_bars": "Features were derived with the 4-hour candles and the implied volatility that "
        "are there.",
    },
    contract=True,
    blocking={"finite_or_null": "No feature is NaN or infinite; what lacks history is null."},
)
def engineered_features_checks(_: Context, platform: Platform) -> Results:
    """Check the stored features."""
    features = platform.tables.read(ENGINEERED_FEATURES)
    rows = features.height
    yield contract_result(ENGINEERED_FEATURES, features)
    bad = features.filter(
        pl.any_horizontal(~pl.col(name).is_finite() for name in (*NAMES, LOG_REALISED, LOG_IMPLIED))
    )
    infinite = [f"{d}: a feature is not finite" for d in bad["date"]]
    yield result(FEATURES, "finite_or_null", infinite, checked=rows)
    candles = platform.tables.read(RAW_KLINES, columns=["symbol", "date"])
    lacking = candles.join(features, on=["symbol", "date"], how="anti")["date"].to_list()
    # A candle that landed a moment ago has its features when its own run gets there.
    without = [f"no features for {d}" for d in lacking]
    yield result(FEATURES, "as_long_as_the_candles", without, warn=True, checked=candles.height)
    stale = days_with_stale_features(platform, features)
    yield result(FEATURES, "know_their_bars", stale, warn=True, checked=rows)


def days_with_stale_features(platform: Platform, features: pl.DataFrame) -> list[str]:
    """List the days whose market data came or changed after the features were derived, newest first."""
    platform.tables.ensure_table(RAW_KLINES_4H)
    symbol = platform.settings.symbol
    mine = pl.col("symbol") == symbol
    series = {one.name: newest(platform.tables, symbol, one) for one in SERIES}
    stale = stale_days(features.filter(mine), series)
    return [f"{day}: materialise engineered_features again" for day in reversed(stale)]
