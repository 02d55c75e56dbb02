"""What the sources offer: not ours, so it is shown and never materialised."""

import dagster as dg

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY, RAW_KLINES
from btc_assets.defs.assets.column_lineage import OFFERED, OFFERED_VOLATILITY
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

offered_volatility = dg.AssetSpec(
    "offered_volatility",
    description="Implied volatility as its source offers it (`BTC_IMPLIED_VOLATILITY`): nothing while that "
    "is off, Deribit's index, or a made-up one beside the simulated market. Nothing here is materialised.",
    group_name="market",
    kinds={"deribit"},
    owners=OWNERS,
    tags={"domain": "market"},
    metadata={
        "dagster/column_schema": column_schema(
            [c for c in RAW_IMPLIED_VOLATILITY.columns if c.name in OFFERED_VOLATILITY]
        )
    },
)
