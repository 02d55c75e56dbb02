"""The whole graph on one screen: assets, what checks them, what launches them, what they need."""

import gc

gc.disable()  # what is loaded here stays: no collection need look at it, now or at the end of the process

import dagster as dg

from btc_assets.defs.assets.arena_forecasts import arena_forecasts
from btc_assets.defs.assets.baseline_forecasts import baseline_forecasts
from btc_assets.defs.assets.chance_scores import chance_scores
from btc_assets.defs.assets.engineered_features import engineered_features
from btc_assets.defs.assets.exchange_klines import exchange_klines, offered_volatility
from btc_assets.defs.assets.forecast_scores import forecast_scores
from btc_assets.defs.assets.forecasts import forecasts
from btc_assets.defs.assets.hyperparameters import hyperparameters
from btc_assets.defs.assets.networks import lstm_model, mlp_model
from btc_assets.defs.assets.raw_implied_volatility import raw_implied_volatility
from btc_assets.defs.assets.raw_klines import raw_klines
from btc_assets.defs.assets.raw_klines_4h import raw_klines_4h
from btc_assets.defs.automation.catch_up_sensor import catch_up
from btc_assets.defs.automation.jobs import JOBS
from btc_assets.defs.automation.landing_sensor import landed_candles
from btc_assets.defs.automation.notification_sensors import failed_runs, health
from btc_assets.defs.automation.schedules import daily_at_0005_utc
from btc_assets.defs.checks.arena import arena_forecasts_checks
from btc_assets.defs.checks.chances import chance_scores_checks
from btc_assets.defs.checks.forecasting import NETWORK_CHECKS, forecast_scores_checks, forecasts_checks
from btc_assets.defs.checks.health import health_checks
from btc_assets.defs.checks.ledger import ledger_checks
from btc_assets.defs.checks.market import (
    engineered_features_checks,
    raw_implied_volatility_checks,
    raw_klines_4h_checks,
    raw_klines_checks,
)
from btc_assets.defs.resources import Platform
from btc_assets.settings import load

load()  # a wrong setting stops the code location from loading, with one sentence that says why

defs = dg.Definitions(
    assets=[
        exchange_klines,
        raw_klines,
        raw_klines_4h,
        offered_volatility,
        raw_implied_volatility,
        engineered_features,
        hyperparameters,
        mlp_model,
        lstm_model,
        baseline_forecasts,
        arena_forecasts,
        forecasts,
        forecast_scores,
        chance_scores,
    ],
    asset_checks=[
        raw_klines_checks,
        raw_klines_4h_checks,
        raw_implied_volatility_checks,
        engineered_features_checks,
        *NETWORK_CHECKS,
        arena_forecasts_checks,
        forecasts_checks,
        ledger_checks,
        forecast_scores_checks,
        chance_scores_checks,
        health_checks,
    ],
    jobs=JOBS,
    schedules=[daily_at_0005_utc],
    sensors=[catch_up, landed_candles, failed_runs, health],
    resources={"platform": Platform()},
    executor=dg.in_process_executor,  # a process a step costs 10 s of imports a day and saves nothing
)

gc.freeze()
gc.enable()
