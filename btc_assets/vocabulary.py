"""Names that the graph, the command line, the page and the Lambda share; imports nothing: all can read it."""

SOURCES = ("binance", "archive", "landing", "simulated")
"""Where candles can come from: the values of ``BTC_SOURCE``."""

VOLATILITY_SOURCES = ("off", "deribit", "simulated")
"""Where implied volatility can come from: the values of ``BTC_IMPLIED_VOLATILITY``."""

STORES = ("local", "hopsworks")
"""Where tables and models can be kept: the values of ``BTC_STORE`` and ``BTC_REGISTRY``."""

CHANNELS = ("log", "mail", "webhook")
"""How a person can be notified: the values that ``BTC_NOTIFY`` lists."""

NETWORKS = ("mlp", "lstm")
"""The networks that are fitted; ``<network>_model`` is an asset."""

ENSEMBLE = "ensemble"
"""The model that averages the networks."""

MODELS = (*NETWORKS, ENSEMBLE)
"""The values of ``forecasts.model``."""

BASELINES = ("last_close", "random_walk", "mixture_walk")
"""The values of ``baseline_forecasts.model``: what a forecast must beat to be worth anything."""

HORIZONS = 90
"""How many days ahead a forecast reaches."""

MARKET_ASSETS = ("raw_klines", "raw_klines_4h", "raw_implied_volatility", "engineered_features")
"""The assets that load market data and derive features, in order."""

FORECAST_ASSETS = (
    "mlp_model", "lstm_model", "baseline_forecasts", "forecasts", "forecast_scores", "chance_scores",
)  # fmt: skip
"""The assets that fit, forecast and score, in order."""

DAILY_ASSETS = MARKET_ASSETS + FORECAST_ASSETS
"""The assets that one day goes through, in order."""

BASELINE_ASSET = "baseline_forecasts"
"""The asset of the baselines."""

ARENA_ASSET = "arena_forecasts"
"""The asset of the forecasters that compete: runs with the daily assets, but no day of it is ever missing."""

ISSUING_ASSET = "forecasts"
"""The asset that issues; a day whose partition of it is materialised is taken care of."""

DAILY_JOB = "daily_partition"
"""Materialises the daily assets."""

HISTORY_JOB = "market_history"
"""Materialises the market assets alone."""

BACKTEST_JOB = "walk_forward"
"""Materialises the forecast assets alone."""

TUNING_JOB = "tuning"
"""Searches hyper-parameters; has no partitions."""

JOB_TAG = "btc/job"
"""The tag that every run of a job carries, so that limits and alerts can name it."""

LAUNCHED_BY_TAG = "btc/launched_by"
"""The tag that says what launched a run: schedule, catch_up, landed_candles, lambda or record_backfill."""

RECORD_BACKFILL = "record_backfill"
"""What fills the track record backwards; its runs give way to all others."""

WORKER_TAG = "btc/worker"
"""Tag of a run that a process executes itself, ``<boot id>:<pid>:<start ticks>``, so that its death shows."""

HOST_TAG = "btc/host"
"""Tag of such a run: the name of the machine, for another machine cannot tell whether the process lives."""
