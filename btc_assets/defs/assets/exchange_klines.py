"""What the source offers: not ours, so it is shown and never materialised."""

import dagster as dg

from btc_assets.contracts import RAW_KLINES
from btc_assets.defs.assets.column_lineage import OFFERED
from btc_assets.defs.assets.metadata import OWNERS, column_schema

exchange_klines = dg.AssetSpec(
    "exchange_klines",
    description="The candles that the source offers (`BTC_SOURCE`): Binance's API, its public dumps, a "
    "landing zone, or a simulated market. Nothing here is materialised; the check `source_answers` of "
    "raw_klines says how it is.",
    group_name="market",
    kinds={"binance"},
    owners=OWNERS,
    tags={"domain": "market"},
    metadata={"dagster/column_schema": column_schema([c for c in RAW_KLINES.columns if c.name in OFFERED])},
)
