"""Stationary features of each day, from candles up to that day only and from a fixed window of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import Column, TableSpec
from btc_assets.errors import BadModel
from btc_assets.market.calendar import DAY
from btc_assets.modeling.history import (
    LOG_IMPLIED,
    LOG_REALISED,
    Floats,
    History,
    history,
    on_days,
    window_mean,
)
from btc_assets.modeling.realised_volatility import log_realised
from btc_assets.series import BARS, CANDLES, IMPLIED, Series

YEAR = 365


@dataclass(frozen=True)
class Feature:
    """One feature: what it is called, how it is computed, how far it looks back, and what it says.

    ``window`` counts the days it reads, its own included; ``source`` names the candle's columns.
    """

    name: str
    formula: str
    window: int
    source: str
    meaning: str
    compute: Callable[[History], Floats] = field(repr=False, compare=False)


def _volatility(days: int) -> Feature:
    def ratio(h: History) -> Floats:
        return np.asarray(
            0.5 * np.log(window_mean(h.range_variance, days) / window_mean(h.range_variance, YEAR))
        )

    return Feature(
        f"volatility_{days}",
        f"ln sqrt(mean(v, {days}) / mean(v, {YEAR})), v = ln(high / low)^2 / (4 ln 2)",
        YEAR,
        "high, low",
        f"volatility of the last {days} day{'s' if days > 1 else ''} against the last year's",
        ratio,
    )


def _turnover(h: History) -> Floats:
    return np.asarray(np.log(window_mean(h.quote_volume + 1.0, 1) / window_mean(h.quote_volume + 1.0, 30)))


def _downside(h: History) -> Floats:
    squared = h.returns**2
    squared[0] = np.nan  # the first day's return is not close to close
    below = np.where(h.returns < 0, squared, np.where(np.isnan(squared), np.nan, 0.0))
    share = window_mean(below, 7) / (window_mean(squared, 7) + 1e-12) - 0.5
    share[:7] = np.nan
    return np.asarray(share)


def _weekday(turn: Callable[[Floats], Floats]) -> Callable[[History], Floats]:
    return lambda h: np.asarray(turn(2 * np.pi * (h.weekday / 7.0)))


FEATURES: tuple[Feature, ...] = (
    *(_volatility(days) for days in (1, 3, 7, 30, 90)),
    Feature(
        "turnover_1",
        "ln((q + 1) / mean(q + 1, 30)), q = quote_volume",
        30,
        "quote_volume",
        "money that changed hands today against the last month's mean",
        _turnover,
    ),
    Feature(
        "downside_7",
        "mean(min(r, 0)^2, 7) / mean(r^2, 7) - 1/2, r = ln(close / previous close)",
        8,
        "close",
        "share of falling days in the last week's variance, -1/2 to 1/2",
        _downside,
    ),
    Feature(
        "weekday_sin", "sin(2 pi d / 7), d = 0 on Monday", 1, "date", "day of the week", _weekday(np.sin)
    ),
    Feature(
        "weekday_cos", "cos(2 pi d / 7), d = 0 on Monday", 1, "date", "day of the week", _weekday(np.cos)
    ),
)

LOOKBACK = max(feature.window for feature in FEATURES) - 1
"""Days of candles needed before a day for all its features; rows without them hold nulls."""

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

ENGINEERED_FEATURES = TableSpec(
    "engineered_features",
    "Stationary features of each day from its own and earlier candles; null where history lacks.",
    key=("symbol", "date"),
    day="date",
    columns=(
        Column("symbol", pl.String, "trading pair, e.g. BTCUSDT"),
        Column("date", pl.Date, "the UTC day whose closed candle is the newest that was read"),
        *(Column(f.name, pl.Float64, f"{f.meaning}: {f.formula}") for f in FEATURES),
        Column(
            LOG_REALISED,
            pl.Float64,
            "log of the day's variance from its 4-hour candles, which no network reads but the anchor that "
            "they depart from: ln 6 + mean(ln v), v = ln(high / low)^2 / (4 ln 2) of each bar",
        ),
        Column(
            LOG_IMPLIED,
            pl.Float64,
            "log of the volatility a day that options imply at the close, which the anchor alone reads, null "
            "where it is not known: ln(volatility / 100 / sqrt 365)",
        ),
    ),
)


FROM_SERIES: Mapping[str, tuple[str, ...]] = {BARS.name: (LOG_REALISED,), IMPLIED.name: (LOG_IMPLIED,)}
"""By series, the columns that follow from it and not from daily candles: one that was forecast without it
goes without them."""


def require_columns(features: pl.DataFrame) -> None:
    """Check that rows of features, which an older release may have written, are those of the networks.

    Raises:
        BadModel: they lack a column that the networks read.
    """
    missing = [name for name in NAMES if name not in features.columns]
    if missing:
        raise BadModel(f"features lack the columns {missing}; materialise engineered_features again")


def stale_days(features: pl.DataFrame, series: Mapping[str, pl.DataFrame]) -> list[dt.date]:
    """Find the days whose columns of ``FROM_SERIES`` are not what ``series`` (as of `engineer`) give."""
    if series[CANDLES.name].height == 0:
        return []
    h = history(series[CANDLES.name], features=features)
    assert h.log_realised is not None
    assert h.log_implied is not None
    same = _same(log_realised(_rows(series, BARS), h), h.log_realised)
    same &= _same(_log_implied(_rows(series, IMPLIED), h), h.log_implied)
    return [h.first + int(place) * DAY for place in np.flatnonzero(~(same | np.isnan(h.close)))]


def _same(one: Floats, other: Floats) -> NDArray[np.bool_]:
    return np.asarray((one == other) | (np.isnan(one) & np.isnan(other)))


def engineer(series: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Derive the features of every day that has a candle: ENGINEERED_FEATURES.

    ``series`` holds, by name of the series (``btc_assets.series``), the rows of one symbol; one that is
    optional may be absent.

    The value at a day depends on the ``LOOKBACK`` candles before it and its own, to the last bit, wherever
    the range begins. A feature is null where its window reaches before the first candle, and where more
    than a third of its days have no candle; a day without a candle has no row.

    Raises:
        ModelError: rows of several symbols, or a day twice.

    Examples:
        >>> from btc_assets.series import SERIES
        >>> engineer({series.name: series.newest.empty() for series in SERIES}).columns[:2]
        ['symbol', 'date']
    """
    if series[CANDLES.name].height == 0:
        return ENGINEERED_FEATURES.empty()
    h = history(series[CANDLES.name])
    frame = pl.DataFrame(
        {
            "symbol": pl.Series([h.symbol] * len(h), dtype=pl.String),
            "date": pl.date_range(h.first, h.last, "1d", eager=True),
            **{f.name: pl.Series(f.compute(h)).fill_nan(None) for f in FEATURES},
            LOG_REALISED: pl.Series(log_realised(_rows(series, BARS), h)).fill_nan(None),
            LOG_IMPLIED: pl.Series(_log_implied(_rows(series, IMPLIED), h)).fill_nan(None),
        },
        schema=ENGINEERED_FEATURES.schema,
    )
    return frame.filter(pl.Series(~np.isnan(h.close)))


def _log_implied(rows: pl.DataFrame, h: History) -> Floats:
    """Compute the log of a day's volatility from rows of RAW_IMPLIED_VOLATILITY; NaN where not known."""
    return on_days(rows, np.log(rows["volatility"].to_numpy() / 100.0 / np.sqrt(YEAR)), h.first, len(h))


def _rows(series: Mapping[str, pl.DataFrame], one: Series) -> pl.DataFrame:
    return series[one.name] if one.name in series else one.newest.empty()
