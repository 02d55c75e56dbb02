"""Partition D: what a forecaster without a model would have said at the close of day D."""

import dagster as dg

from btc_assets.contracts import BASELINE_FORECASTS, RAW_KLINES
from btc_assets.defs.assets.metadata import known_at, table_asset, written
from btc_assets.defs.assets.origins import in_batches, origins_of, stamped
from btc_assets.defs.partitions import window_of
from btc_assets.defs.resources import Platform
from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import MIN_HISTORY, REACH
from btc_assets.modeling.baselines import baseline_forecasts as forecast_baselines


@table_asset(
    BASELINE_FORECASTS, group="forecasts", kinds=set(), deps=[RAW_KLINES.name], tags={"domain": "forecasting"}
)
def baseline_forecasts(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Last close, random walk and mixture random walk from every origin of the window."""
    window = window_of(context)
    klines = platform.tables.read(RAW_KLINES, start=window.start - REACH * DAY, end=window.end)
    origins = origins_of(window, klines, MIN_HISTORY)
    rows = in_batches(
        platform, "forecasting without a model", origins.usable, lambda some: forecast_baselines(klines, some)
    )
    rows = stamped(platform.tables, BASELINE_FORECASTS, rows, platform.now())
    receipt = platform.tables.upsert(BASELINE_FORECASTS, rows)
    return dg.MaterializeResult(
        metadata=written(platform, BASELINE_FORECASTS, window, receipt, rows.height)
        | {"known at": known_at(window)}
        | origins.metadata()
    )
