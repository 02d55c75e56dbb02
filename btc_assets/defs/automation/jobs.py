"""Jobs: the daily partition, and the parts of the graph that people launch over ranges."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from btc_assets.defs.findings import CHECKS
from btc_assets.vocabulary import (
    ARENA_ASSET,
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
    selection=selection((*DAILY_ASSETS, ARENA_ASSET)),
    description="A day (or a range) through the whole graph: candle, features, models, forecasts, "
    "scores.\n\n**What a click causes**: candles of the days are asked for, a vintage of each network is "
    "fitted for every seventh day that has none, and forecasts are **issued**: a record a day is added to "
    "the ledger for good. No other day is filled.",
    tags={JOB_TAG: DAILY_JOB},
)

market_history = dg.define_asset_job(
    HISTORY_JOB,
    selection=selection(MARKET_ASSETS),
    description="Candles and features alone.\n\n**What a click causes**: one request a thousand days and "
    "one 166 days of 4-hour candles, and three writes; over all days some two dozen requests. Nothing is "
    "fitted or issued.",
    tags={JOB_TAG: HISTORY_JOB},
)

walk_forward = dg.define_asset_job(
    BACKTEST_JOB,
    selection=selection((*FORECAST_ASSETS, ARENA_ASSET)),
    description="Models, forecasts and scores of past days: a walk-forward backtest is a backfill of "
    "this.\n\n**What a click causes**: a vintage of each network is fitted for every seventh day that has "
    "none, minutes for a month, and forecasts are **issued** as back-filled: a record a day is added to "
    "the ledger for good.",
    tags={JOB_TAG: BACKTEST_JOB},
)

tuning = dg.define_asset_job(
    TUNING_JOB,
    selection=dg.AssetSelection.assets("hyperparameters"),
    description="Searches hyper-parameters on history before 2021.\n\n**What a click causes**: minutes to "
    "hours on all cores; vintages that are fitted from then on use what is found.",
    tags={JOB_TAG: TUNING_JOB},
)

JOBS = [daily_partition, market_history, walk_forward, tuning]
