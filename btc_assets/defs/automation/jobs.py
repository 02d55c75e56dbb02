"""Jobs: the daily partition, and the parts of the graph that people launch over ranges."""

from __future__ import annotations

import dagster as dg

MARKET = ("raw_klines", "raw_klines_4h", "engineered_features")
FORECASTING = ("mlp_model", "lstm_model", "baseline_forecasts", "forecasts", "forecast_scores")
DAY_OF_DATA = MARKET + FORECASTING
"""The assets that one day of data goes through, in order."""

daily_partition = dg.define_asset_job(
    "daily_partition",
    selection=dg.AssetSelection.assets(*DAY_OF_DATA),
    description="A day (or a range) through the whole graph: candle, features, models, forecasts, scores.",
    tags={"btc/job": "daily_partition"},
)

market_history = dg.define_asset_job(
    "market_history",
    selection=dg.AssetSelection.assets(*MARKET),
    description="Candles and features alone; over all days this is some two dozen requests and three writes.",
    tags={"btc/job": "market_history"},
)

walk_forward = dg.define_asset_job(
    "walk_forward",
    selection=dg.AssetSelection.assets(*FORECASTING),
    description="Models, forecasts and scores of past days: a walk-forward backtest is a backfill of this.",
    tags={"btc/job": "walk_forward"},
)

tuning = dg.define_asset_job(
    "tuning",
    selection=dg.AssetSelection.assets("hyperparameters"),
    description="Searches hyper-parameters on history before 2021; on demand, minutes to hours.",
    tags={"btc/job": "tuning"},
)

JOBS = [daily_partition, market_history, walk_forward, tuning]
