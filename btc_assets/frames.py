"""From candles as the sources give them to rows as the tables keep them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from btc_assets.contracts import RAW_KLINES, TableSpec
from btc_assets.market.kline import Kline


def klines_frame(
    klines: Sequence[Kline], ingested_at: dt.datetime, spec: TableSpec = RAW_KLINES
) -> pl.DataFrame:
    """Rows of ``raw_klines``, or of ``raw_klines_4h``, all marked as stored at ``ingested_at`` (UTC)."""
    if not klines:
        return spec.empty()
    rows = [{**asdict(k), "ingested_at": ingested_at} for k in klines]
    return pl.DataFrame(rows, schema=spec.schema)
