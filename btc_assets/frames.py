"""From candles as the sources give them to rows as the tables keep them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from btc_assets.contracts import RAW_KLINES, TableSpec
from btc_assets.market.kline import Kline


def klines_frame(
    klines: Sequence[Kline], ingested_at: dt.datetime, spec: TableSpec = RAW_KLINES
) -> pl.DataFrame:
    """Rows of ``raw_klines``, or of ``raw_klines_4h``, all marked as stored at ``ingested_at`` (UTC)."""
    given = {name: [getattr(kline, name) for kline in klines] for name in Kline.__slots__}
    given["ingested_at"] = [ingested_at] * len(klines)
    return pl.DataFrame({name: given[name] for name in spec.schema}, schema=spec.schema)
