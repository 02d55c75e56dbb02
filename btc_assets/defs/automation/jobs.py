"""Jobs: the daily partition, and the parts of the graph that people launch over ranges."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from btc_assets.defs.findings import CHECKS
from btc_assets.vocabulary import (
    BACKTEST_JOB,
    DAILY_ASSETS,
    DAILY_JOB,
    FORECAST_ASSETS,
    HISTORY_JOB,
    JOB_TAG,
    MARKET_ASSETS,
    TUNING_JOB,
)


def selection(assets: Sequence[str]) -> dg.AssetSelection:
    """``assets`` and the checks of what is written; the health checks are evaluated by a sensor instead."""
    keys = [dg.AssetCheckKey(dg.AssetKey([asset]), name) for asset, name, _ in CHECKS.values()]
    return dg.AssetSelection.assets(*assets) - dg.AssetSelection.checks(*keys)


daily_partition = dg.define_asset_job(
    DAILY_JOB,
    selection=selection(DAILY_ASSETS),
    description="A day (or a range) through the whole graph: candle, features, models, forecasts, scores.",
    tags={JOB_TAG: DAILY_JOB},
)

market_history = dg.define_asset_job(
    HISTORY_JOB,
    selection=selection(MARKET_ASSETS),
    description="Candles and features alone; over all days this is some two dozen requests and three writes.",
    tags={JOB_TAG: HISTORY_JOB},
)

walk_forward = dg.define_asset_job(
    BACKTEST_JOB,
    selection=selection(FORECAST_ASSETS),
    description="Models, forecasts and scores of past days: a walk-forward backtest is a backfill of this.",
    tags={JOB_TAG: BACKTEST_JOB},
)

tuning = dg.define_asset_job(
    TUNING_JOB,
    selection=dg.AssetSelection.assets("hyperparameters"),
    description="Searches hyper-parameters on history before 2021; on demand, minutes to hours.",
    tags={JOB_TAG: TUNING_JOB},
)

JOBS = [daily_partition, market_history, walk_forward, tuning]
