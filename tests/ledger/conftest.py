"""A small market and a store on disk for the ledger's tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from btc_assets.contracts import RAW_KLINES
from btc_assets.market.calendar import DAY, closes_at, days, opens_at
from btc_assets.storage.delta import DeltaTables

FIRST = dt.date(2024, 1, 1)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture
def make_candles() -> Callable[..., pl.DataFrame]:
    """``make_candles(n, first=2024-01-01)``: n candles, each a function of its day alone."""
    return _candles


def _candles(count: int, first: dt.date = FIRST, symbol: str = "BTCUSDT", **override: object) -> pl.DataFrame:
    rows = []
    for day in days(first, first + count * DAY):
        close = 40_000.0 + 37.25 * (day.toordinal() % 101)
        row = {
            "symbol": symbol,
            "date": day,
            "open": close - 10.1,
            "high": close + 55.5,
            "low": close - 60.25,
            "close": close,
            "volume": 1_000.125 + day.day,
            "quote_volume": close * 1_000.0,
            "trades": 900_000 + day.toordinal() % 1000,
            "taker_buy_base": 500.5,
            "taker_buy_quote": close * 499.0,
            "open_time": opens_at(day),
            "close_time": closes_at(day) - dt.timedelta(milliseconds=1),
            "source": "binance",
            "ingested_at": closes_at(day),
        }
        rows.append(row | override)
    return pl.DataFrame(rows, schema=RAW_KLINES.schema)
