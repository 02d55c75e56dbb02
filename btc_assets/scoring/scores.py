"""Scores of issued forecasts whose target day has closed: rows of the contract FORECAST_SCORES."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import polars as pl

from btc_assets.contracts import FORECAST_SCORES, FORECASTS, MEDIAN, QUANTILES
from btc_assets.market.calendar import DAY
from btc_assets.market.issue_timing import LIVE_HOURS, live_column
from btc_assets.modeling.baselines import REACH, months, random_walk
from btc_assets.modeling.history import history
from btc_assets.statistics.metrics import inside, pinball, pit

ROWS_AT_ONCE = 20_000
"""Rows whose quantiles are looked at together: a processor's cache holds them."""


def score(
    forecasts: pl.DataFrame, klines: pl.DataFrame, live_hours: Mapping[dt.date, int] | None = None
) -> pl.DataFrame:
    """Score every row of ``forecasts`` (FORECASTS or BASELINE_FORECASTS) whose target has a candle.

    Each row is scored on its own: the same row and candles give the same score whatever else is scored.
    Rows whose target has not closed are left out. Quantiles are compared on the log price;
    ``live_hours``: by origin, within how many hours after the close it is live (``records.live_hours``).
    ``pinball_random_walk`` is the loss of the 365-day random walk from the same origin.

    Raises:
        NotEnoughHistory: no candle of an origin, or too few before it for the random walk.
    """
    closes = klines.select("symbol", "date", "close")
    rows = forecasts.join(
        closes.rename({"date": "target_date"}), on=["symbol", "target_date"], how="inner"
    ).join(
        closes.rename({"date": "origin_date", "close": "close_before"}),
        on=["symbol", "origin_date"],
        how="left",
    )
    if rows.height == 0:
        return FORECAST_SCORES.empty()
    rows = rows.join(_random_walk_losses(rows, klines), on=["origin_date", "horizon"], how="left")
    rows = with_live_hours(rows, live_hours or {})
    return pl.concat(_scored(part) for part in rows.iter_slices(ROWS_AT_ONCE))


def _scored(rows: pl.DataFrame) -> pl.DataFrame:
    """Compute scores of forecasts beside which everything else stands that they follow from."""
    prices = rows.select(QUANTILES).to_numpy()
    close = rows["close"].to_numpy()
    log_prices, log_close = np.log(np.ascontiguousarray(prices)), np.log(close)
    point, before = prices[:, MEDIAN], rows["close_before"].to_numpy()
    return rows.with_columns(
        pl.Series("absolute_error", np.abs(point - close)),
        pl.Series("absolute_percentage_error", np.abs(point / close - 1.0)),
        pl.Series("naive_absolute_error", np.abs(before - close)),
        pl.Series("pinball", pinball(log_prices, log_close)),
        *(
            pl.Series(f"inside_{percent}", inside(prices, close, percent / 100))
            for percent in (50, 80, 90, 95)
        ),
        pl.Series("pit", pit(log_prices, log_close)),
        live_column(),
    ).select(FORECAST_SCORES.schema.names())


def first_issued(arena: pl.DataFrame) -> pl.DataFrame:
    """Return of rows of ARENA_FORECASTS those that count, as rows of FORECASTS.

    Of several versions of a forecaster the one that was issued first from an origin counts: a later version
    never gets another past.
    """
    issued = ["symbol", "model", "origin_date"]
    versions = arena.select(*issued, "issued_at", "version").unique().sort("issued_at", "version")
    first = versions.unique(issued, keep="first", maintain_order=True)
    counts = arena.join(first, on=[*issued, "issued_at", "version"], how="semi", maintain_order="left")
    return counts.select(FORECASTS.schema.names())


def with_live_hours(rows: pl.DataFrame, live_hours: Mapping[dt.date, int]) -> pl.DataFrame:
    """Add the column ``live_hours`` by ``origin_date``; of origins without a record ``LIVE_HOURS``."""
    origins = rows["origin_date"].unique()
    hours = pl.Series([live_hours.get(origin, LIVE_HOURS) for origin in origins], dtype=pl.Int64)
    beside = pl.DataFrame({"origin_date": origins, "live_hours": hours})
    return rows.join(beside, on="origin_date", how="left", maintain_order="left")


def _random_walk_losses(rows: pl.DataFrame, klines: pl.DataFrame) -> pl.DataFrame:
    """Compute the loss of the random walk at each (origin, horizon) that is scored, on log price."""
    pairs = rows.select("origin_date", "horizon", "close", "close_before").unique()
    origins = pairs["origin_date"].unique().sort().to_list()
    h = history(klines, start=origins[0] - REACH * DAY, end=origins[-1] + DAY)
    walks = np.concatenate([random_walk(h, month) for month in months(h, origins)])
    place = np.searchsorted(np.array(origins, "datetime64[D]"), pairs["origin_date"].to_numpy())
    quantiles = walks[place, pairs["horizon"].to_numpy() - 1]
    realised = np.log(pairs["close"].to_numpy()) - np.log(pairs["close_before"].to_numpy())
    loss = pl.Series("pinball_random_walk", pinball(quantiles, realised))
    return pairs.select("origin_date", "horizon", loss)
