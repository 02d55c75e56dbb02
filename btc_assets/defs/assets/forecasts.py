"""Partition D: the forecasts of the networks and their ensemble from the close of day D, and their record."""

import datetime as dt
from functools import cache
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import FORECASTS, HORIZONS, RAW_KLINES
from btc_assets.defs.assets.metadata import table_asset, table_preview, written
from btc_assets.defs.assets.origins import run_in_batches
from btc_assets.defs.assets.svg import fan_chart
from btc_assets.defs.partitions import Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.errors import LedgerError
from btc_assets.ledger.clock import Clock
from btc_assets.ledger.code_version import code_version
from btc_assets.ledger.continuity import known_heads, remember
from btc_assets.ledger.inputs import Inputs, read_inputs
from btc_assets.ledger.issue import issue
from btc_assets.ledger.publishing.sinks import publish_head
from btc_assets.modeling.features import ENGINEERED_FEATURES, FROM_SERIES
from btc_assets.modeling.forecast import PredictorOf
from btc_assets.modeling.forecast import forecasts as forecast
from btc_assets.modeling.history import LOG_IMPLIED
from btc_assets.modeling.inference import Predictor
from btc_assets.series import CANDLES, SERIES, Series
from btc_assets.storage.registry.protocol import ModelRef, VintageId
from btc_assets.vocabulary import ENSEMBLE

SHOWN_HORIZONS = (1, 7, 14, 30, 90)


@table_asset(
    FORECASTS,
    group="forecasts",
    kinds={"onnx"},
    code=("modeling",),
    causes="forecasts from these days and **issues** what is new: a record a day is added to the ledger "
    "for good, and the newest hash is published (`BTC_LEDGER_SINK`). A day long past is issued as "
    "back-filled; a day that was issued live stays as it was.",
    deps=[RAW_KLINES.name, ENGINEERED_FEATURES.name, "mlp_model", "lstm_model"],
)
def forecasts(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Forecast from every origin of the window, and issue what is new; what was issued live never changes."""
    window = window_of(context)
    inputs = read_window_inputs(platform, window)
    origins = sorted(set(inputs.vintages["date"]))
    predictors = predictors_in_force(platform, inputs.vintages)
    rows = run_in_batches(
        platform,
        "issuing forecasts",
        origins,
        lambda some: forecast(some, inputs.candles, inputs.features, predictors),
    )
    try:
        heads, problems = known_heads(platform.settings, platform.tables)
        issued = issue(
            platform.tables, platform.registry, rows, inputs, Clock.read(platform.source), heads=heads
        )
    except LedgerError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    remember(platform.settings, issued.head)
    newest = rows.filter((pl.col("origin_date") == origins[-1]) & (pl.col("model") == ENSEMBLE))
    figures: dict[str, Any] = {
        "origins": len(origins),
        "origins with implied volatility": len(
            set(origins) & set(inputs.features.drop_nulls(LOG_IMPLIED)["date"])
        ),
        "newest forecast came from": inputs_in_words(inputs.features, origins[-1]),
        "ledger": issued.in_words(),
        "heads not compared": problems,
        "ledger head": f"#{issued.head.seq} {issued.head.record_sha256}",
        "ledger head published": publish_head(platform.settings, platform.tables, issued.head),
        "kept though inputs changed": [d.isoformat() for d in issued.origins("kept")],
    }
    if origins[-1] == window.last:
        shown = newest.filter(pl.col("horizon").is_in(SHOWN_HORIZONS))
        columns = ["horizon", "target_date", "q025", "q100", "q250", "q500", "q750", "q900", "q975"]
        figures["fan"] = fan_chart(inputs.candles, newest)
        figures["ensemble, USDT"] = table_preview(shown.select(columns))
    week = (pl.col("model") == ENSEMBLE) & (pl.col("horizon") == 7)
    width = (pl.col("q900") - pl.col("q100")) / pl.col("q500")
    daily = {"width of the 80 % range at 7 days, %": 100 * width.filter(week).first()}
    return written(context, platform, FORECASTS, issued.receipt, rows, figures, **daily)


def inputs_in_words(features: pl.DataFrame, origin: dt.date) -> str:
    """Say which series the forecast from ``origin`` had, and which it went without."""
    row = features.filter(date=origin)
    had = [CANDLES.title, *(s.title for s in SERIES if _knows(row, s))]
    without = [s.title for s in SERIES if s.name in FROM_SERIES and not _knows(row, s)]
    return f"{', '.join(had)} of {origin}" + (f"; without {', '.join(without)}" if without else "")


def _knows(row: pl.DataFrame, series: Series) -> bool:
    columns = FROM_SERIES.get(series.name, ())
    return bool(columns) and row.drop_nulls(columns).height > 0


def read_window_inputs(platform: Platform, window: Window) -> Inputs:
    """Read what the window's forecasts are computed from.

    Raises:
        dagster.Failure: no network has a vintage in force for any day of the window.
    """
    ours = platform.settings
    settings = {"refit_every": ours.refit_every, "horizons": HORIZONS, "live_hours": ours.live_hours}
    symbol = platform.settings.symbol
    inputs = read_inputs(platform.tables, ENGINEERED_FEATURES, symbol, window.days, code_version(), settings)
    if inputs.vintages.is_empty():
        raise dg.Failure(
            f"no model is in force for {window}; materialise mlp_model and lstm_model for it first",
            allow_retries=False,
        )
    return inputs


def predictors_in_force(platform: Platform, vintages: pl.DataFrame) -> PredictorOf:
    """Return a function that gives a network's predictor for an origin; each vintage is opened once.

    ``vintages`` are rows of ``vintages_in_force``.
    """
    refs = {
        (r["model"], r["date"]): (VintageId(r["vintage"], r["revision"]), r["manifest_sha256"])
        for r in vintages.to_dicts()
    }

    @cache
    def opened(kind: str, vintage: VintageId, manifest: str) -> Predictor:
        return Predictor.open(platform.registry.model_folder(ModelRef(kind, vintage, manifest)), manifest)

    def predictor(kind: str, origin: dt.date) -> Predictor:
        if (kind, origin) not in refs:
            raise dg.Failure(f"no {kind} vintage is in force for {origin}; materialise {kind}_model for it")
        return opened(kind, *refs[kind, origin])

    return predictor
