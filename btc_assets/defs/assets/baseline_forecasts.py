"""Partition D: the forecasts of the baselines from the close of day D."""

import dagster as dg

from btc_assets.contracts import BASELINE_FORECASTS, RAW_KLINES
from btc_assets.defs.assets.metadata import table_asset, written
from btc_assets.defs.assets.origins import run_in_batches, split_window, with_issue_times
from btc_assets.defs.partitions import window_of
from btc_assets.defs.resources import Platform
from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import MIN_HISTORY, REACH
from btc_assets.modeling.baselines import baseline_forecasts as forecast_baselines


@table_asset(
    BASELINE_FORECASTS,
    group="forecasts",
    kinds={"polars"},
    code=("modeling",),
    causes="forecasts from these days with the baselines; asks no source and fits nothing.",
    deps=[RAW_KLINES.name],
)
def baseline_forecasts(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Forecast with last close, random walk and mixture random walk from every origin of the window."""
    window = window_of(context)
    klines = platform.tables.read(RAW_KLINES, start=window.start - REACH * DAY, end=window.end)
    origins = split_window(window, klines, MIN_HISTORY)
    rows = run_in_batches(
        platform, "forecasting without a model", origins.usable, lambda some: forecast_baselines(klines, some)
    )
    rows = with_issue_times(platform.tables, BASELINE_FORECASTS, rows, platform.now())
    receipt = platform.tables.upsert(BASELINE_FORECASTS, rows)
    return written(context, platform, BASELINE_FORECASTS, receipt, rows, origins.metadata())
