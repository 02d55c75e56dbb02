"""The tables this project keeps: name, key, columns with type and meaning. Backends obey these.

Every table is keyed; ``day`` names the date column that partitions, windows and sorting go by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from btc_assets.vocabulary import BASELINES as BASELINES
from btc_assets.vocabulary import HORIZONS as HORIZONS
from btc_assets.vocabulary import MODELS as MODELS
from btc_assets.vocabulary import NETWORKS as NETWORKS

LEVELS: tuple[float, ...] = (0.025, *(round(0.05 * i, 2) for i in range(1, 20)), 0.975)
"""The 21 quantile levels of a forecast, increasing; the eleventh is the median."""

MEDIAN = LEVELS.index(0.5)

QUANTILES: tuple[str, ...] = tuple(f"q{round(level * 1000):03d}" for level in LEVELS)
"""The columns that hold them: q025, q050, q100, ..., q950, q975 (price in USDT)."""

UTC_US = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, polars type, and what it means (units, time zone)."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str


@dataclass(frozen=True)
class TableSpec:
    """A table's contract. ``key`` columns identify a row; ``day`` is the date it belongs to.

    Examples:
        >>> FORECASTS.key
        ('symbol', 'model', 'origin_date', 'horizon')
        >>> FORECASTS.empty().height
        0
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    day: str
    columns: tuple[Column, ...]
    irreplaceable: bool = False
    """Whether its rows cannot be computed again: a write never repairs its log, no file of it is removed."""

    @cached_property
    def schema(self) -> pl.Schema:
        """Column names and types in order."""
        return pl.Schema({c.name: c.dtype for c in self.columns})

    def empty(self) -> pl.DataFrame:
        """Return a frame of this table without rows."""
        return pl.DataFrame(schema=self.schema)


_SYMBOL = Column("symbol", pl.String, "trading pair, e.g. BTCUSDT")
_MODEL = Column("model", pl.String, "mlp, lstm or ensemble")
_ORIGIN = Column("origin_date", pl.Date, "origin of the forecast")
_LIVE = Column("live", pl.Boolean, "issued within live_hours after its origin closed; false: later")
_INGESTED = Column("ingested_at", UTC_US, "when this version of the candle was stored (UTC)")
_CANDLE = (
    _SYMBOL,
    Column("date", pl.Date, "the UTC day of the candle"),
    Column("open", pl.Float64, "first price, USDT"),
    Column("high", pl.Float64, "highest price, USDT"),
    Column("low", pl.Float64, "lowest price, USDT"),
    Column("close", pl.Float64, "last price, USDT"),
    Column("volume", pl.Float64, "traded volume, BTC"),
    Column("quote_volume", pl.Float64, "traded volume, USDT"),
    Column("trades", pl.Int64, "number of trades"),
    Column("taker_buy_base", pl.Float64, "volume bought by takers, BTC"),
    Column("taker_buy_quote", pl.Float64, "volume bought by takers, USDT"),
    Column("open_time", UTC_US, "the bar's first instant (UTC; of a day midnight)"),
    Column("close_time", UTC_US, "the bar's last instant (UTC)"),
    Column("source", pl.String, "where it came from: binance, archive, landing or simulated"),
    _INGESTED,
)


def _superseded(newest: TableSpec, name: str, meaning: str) -> TableSpec:
    """Declare the table of the earlier versions of the rows of ``newest``."""
    until = Column("superseded_at", UTC_US, "when the next version replaced this one (UTC)")
    return TableSpec(name, meaning, (*newest.key, "ingested_at"), newest.day, (*newest.columns, until))


RAW_KLINES = TableSpec(
    "raw_klines",
    "Closed daily candles, one row a symbol and day, in their newest version.",
    key=("symbol", "date"),
    day="date",
    columns=_CANDLE,
)

SUPERSEDED_KLINES = _superseded(
    RAW_KLINES,
    "superseded_klines",
    "Earlier versions of restated candles: with raw_klines, the candles as known at any time.",
)

RAW_KLINES_4H = TableSpec(
    "raw_klines_4h",
    "Closed 4-hour candles of the days in raw_klines, up to six a day, in their newest version.",
    key=("symbol", "date", "open_time"),
    day="date",
    columns=_CANDLE,
)

SUPERSEDED_KLINES_4H = _superseded(
    RAW_KLINES_4H, "superseded_klines_4h", "Earlier versions of restated 4-hour candles."
)

_IMPLIED = (
    _SYMBOL,
    Column("date", pl.Date, "the UTC day at whose close it was known"),
    Column("volatility", pl.Float64, "standard deviation of the next 30 days' log return, per cent a year"),
    Column("source", pl.String, "where it came from: deribit or simulated"),
    Column("ingested_at", UTC_US, "when this version of the value was stored (UTC)"),
)

RAW_IMPLIED_VOLATILITY = TableSpec(
    "raw_implied_volatility",
    "The volatility that prices of options imply at the close of a day, in its newest version; none if off.",
    key=("symbol", "date"),
    day="date",
    columns=_IMPLIED,
)

SUPERSEDED_IMPLIED_VOLATILITY = _superseded(
    RAW_IMPLIED_VOLATILITY,
    "superseded_implied_volatility",
    "Earlier versions of restated values of implied volatility.",
)

VINTAGES_IN_FORCE = TableSpec(
    "vintages_in_force",
    "Which vintage of each network is in force for each origin, and why.",
    key=("symbol", "model", "date"),
    day="date",
    columns=(
        _SYMBOL,
        Column("model", pl.String, "mlp or lstm"),
        Column("date", pl.Date, "the origin the vintage is in force for"),
        Column("vintage", pl.Date, "cutoff: no target after this day was trained on"),
        Column(
            "revision", pl.Int16, "0 for the first fit at this cutoff, more after changed hyper-parameters"
        ),
        Column("manifest_sha256", pl.String, "hash of the vintage's manifest.json"),
        Column("action", pl.String, "fitted, carried, or held_back (a newer vintage failed promotion)"),
        Column("reason", pl.String, "why this vintage is in force, in words"),
    ),
)

FORECASTS = TableSpec(
    "forecasts",
    "Quantiles of the closing price 1 to 90 days ahead, from each network and their ensemble.",
    key=("symbol", "model", "origin_date", "horizon"),
    day="origin_date",
    columns=(
        _SYMBOL,
        _MODEL,
        Column("origin_date", pl.Date, "the last day whose closed candle was known"),
        Column("horizon", pl.Int16, "days ahead, 1 to 90"),
        Column("target_date", pl.Date, "origin_date + horizon days"),
        *(
            Column(name, pl.Float64, f"{level:.1%} quantile of the close on target_date, USDT")
            for name, level in zip(QUANTILES, LEVELS, strict=True)
        ),
        Column("vintage", pl.Date, "cutoff of the (oldest) vintage that made it"),
        Column(
            "issued_at",
            UTC_US,
            "when the forecast was issued (UTC); after its first target closed: back-filled",
        ),
    ),
)

HYPERPARAMETERS = TableSpec(
    "hyperparameters",
    "What tuning found for each network, and why it is taken up by vintages with a later cutoff.",
    key=("symbol", "model", "tuned_until"),
    day="tuned_until",
    columns=(
        _SYMBOL,
        Column("model", pl.String, "mlp or lstm"),
        Column("tuned_until", pl.Date, "the last day whose candle a trial saw"),
        Column("parameters", pl.String, "the hyper-parameters as a JSON object"),
        Column("loss", pl.Float64, "walk-forward loss of the best trial relative to the anchor's"),
        Column("default_loss", pl.Float64, "the same of the default hyper-parameters"),
        Column("trials", pl.Int64, "complete trials of the study"),
        Column("reason", pl.String, "why these are taken up, in words"),
    ),
)

BASELINE_FORECASTS = TableSpec(
    "baseline_forecasts",
    "The same quantiles from models without parameters: last close, random walk, mixture random walk.",
    key=FORECASTS.key,
    day=FORECASTS.day,
    columns=FORECASTS.columns,
)

_VERSION = Column("version", pl.String, "version of the forecaster; empty where it could not be loaded")

ARENA_FORECASTS = TableSpec(
    "arena_forecasts",
    "The same quantiles from the forecasters that compete. What is stored stays: rows of a new version stand "
    "beside it, and what was issued after its first target had closed is back-filled.",
    key=("symbol", "model", "version", "origin_date", "horizon"),
    day=FORECASTS.day,
    columns=(
        _SYMBOL,
        Column("model", pl.String, "name of the forecaster"),
        _VERSION,
        *FORECASTS.columns[2:],
    ),
)

ARENA_ATTEMPTS = TableSpec(
    "arena_attempts",
    "What came of asking each forecaster from each day, the newest attempt: its cost, and why it gave none.",
    key=("symbol", "model", "version", "origin_date"),
    day="origin_date",
    columns=(
        _SYMBOL,
        Column("model", pl.String, "name of the forecaster"),
        _VERSION,
        _ORIGIN,
        Column(
            "outcome",
            pl.String,
            "ok, not_loaded, too_early, crashed, timed_out, out_of_memory, nonsense, looked_ahead or "
            "unlike_issued",
        ),
        Column("reason", pl.String, "why there is no forecast, in words; empty: there is one"),
        Column("seconds", pl.Float64, "how long the forecast took"),
        Column("peak_mb", pl.Float64, "the most memory its process had held by then, MiB"),
        Column("tried_at", UTC_US, "when it was asked (UTC)"),
    ),
)

FORECAST_SCORES = TableSpec(
    "forecast_scores",
    "How each forecast did once its target day closed; networks, ensemble, baselines and forecasters alike.",
    key=FORECASTS.key,
    day="target_date",
    columns=(
        _SYMBOL,
        Column("model", pl.String, "mlp, lstm, ensemble, a baseline or a forecaster"),
        _ORIGIN,
        Column("horizon", pl.Int16, "days ahead"),
        Column("target_date", pl.Date, "the day that was forecast"),
        Column("close", pl.Float64, "what happened: the close on target_date, USDT"),
        Column("absolute_error", pl.Float64, "|median - close|, USDT"),
        Column("absolute_percentage_error", pl.Float64, "|median / close - 1|"),
        Column("naive_absolute_error", pl.Float64, "|close on origin_date - close|, USDT"),
        Column("pinball", pl.Float64, "mean pinball loss over the 21 levels on log price"),
        Column("pinball_random_walk", pl.Float64, "the same of the random walk with 365-day quantiles"),
        Column("inside_50", pl.Boolean, "close within q250..q750"),
        Column("inside_80", pl.Boolean, "close within q100..q900"),
        Column("inside_90", pl.Boolean, "close within q050..q950"),
        Column("inside_95", pl.Boolean, "close within q025..q975"),
        Column("pit", pl.Float64, "probability integral transform of close, 0 to 1"),
        _LIVE,
    ),
)

CHANCE_SCORES = TableSpec(
    "chance_scores",
    "How the answers to the standard questions did once their day closed: 64 questions of each forecast.",
    key=("symbol", "model", "origin_date", "kind", "horizon", "move"),
    day="target_date",
    columns=(
        _SYMBOL,
        _MODEL,
        _ORIGIN,
        Column("kind", pl.String, "beyond: target_date closes beyond price; touch: price is reached by then"),
        Column("horizon", pl.Int16, "days ahead: 1, 7, 30 or 90"),
        Column("move", pl.Float64, "what is asked about, price over the origin's close - 1"),
        Column("target_date", pl.Date, "the last day that counts"),
        Column("price", pl.Float64, "the price that was asked about, USDT"),
        Column("chance", pl.Float64, "the answer, 0 to 1"),
        Column("twice_beyond", pl.Float64, "of a touch: twice the chance of closing beyond price, at most 1"),
        Column("past_frequency", pl.Float64, "how often it happened after the days of a year, as known then"),
        Column("happened", pl.Boolean, "what happened"),
        Column("brier", pl.Float64, "(chance - happened) squared"),
        Column("log_score", pl.Float64, "-ln of the chance given to what happened, half a path at least"),
        _LIVE,
    ),
)
