"""Checks of models, forecasts and scores."""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise

import dagster as dg
import polars as pl

from btc_assets.contracts import (
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    MODELS,
    NETWORKS,
    QUANTILES,
    VINTAGES_IN_FORCE,
)
from btc_assets.defs.checks.ledger import verifies_whole_chain
from btc_assets.defs.checks.results import Context, Results, contract_violations, multi_check, result, spec
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import window_of_run
from btc_assets.errors import BtcError
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry.protocol import ModelRef, VintageId

RECENT_ORIGINS = 30
ISSUED = FORECASTS.name


def network_checks(kind: str) -> dg.AssetChecksDefinition:
    """Build the checks of ``<kind>_model``."""
    asset = f"{kind}_model"

    @multi_check(
        name=f"{asset}_checks",
        specs=[
            spec(asset, "verified", "The vintage in force hashes to what was recorded.", blocking=True),
            spec(
                asset,
                "has_not_seen_the_future",
                "No vintage's cutoff lies after a day it is in force for.",
                blocking=True,
            ),
            spec(asset, "not_held_back", "The newest vintage was sound and came into force."),
        ],
    )
    def checks(_: Context, platform: Platform) -> Results:
        rows = platform.tables.read(VINTAGES_IN_FORCE).filter(pl.col("model") == kind)
        yield result(asset, "verified", verification_faults(platform, rows))
        late = rows.filter(pl.col("vintage") > pl.col("date"))
        yield result(
            asset, "has_not_seen_the_future", [f"{r['date']}: cutoff {r['vintage']}" for r in late.to_dicts()]
        )
        newest = rows.tail(1).filter(pl.col("action") == "held_back")
        yield result(asset, "not_held_back", newest["reason"].to_list(), warn=True)

    return checks


def verification_faults(platform: Platform, rows: pl.DataFrame) -> list[str]:
    """List why the newest row's vintage must not be used; empty if it may."""
    if rows.is_empty():
        return ["no vintage is in force; materialise the model"]
    row = rows.row(-1, named=True)
    ref = ModelRef(row["model"], VintageId(row["vintage"], row["revision"]), row["manifest_sha256"])
    try:
        platform.registry.model_folder(ref)
    except BtcError as error:
        return [str(error)]
    return []


@multi_check(
    name="forecasts_checks",
    specs=[
        spec(
            ISSUED,
            "follows_its_contract",
            "Columns, types and keys are those of the contract.",
            blocking=True,
        ),
        spec(
            ISSUED,
            "quantiles_ordered",
            "The 21 quantiles never cross, are finite and positive.",
            blocking=True,
        ),
        spec(ISSUED, "complete", "Every origin has 90 horizons of every model.", blocking=True),
    ],
)
def forecasts_checks(_: Context, platform: Platform) -> Results:
    """Check the forecasts of the newest 30 origins."""
    rows = newest_origins(platform)
    yield result(ISSUED, "follows_its_contract", contract_violations(FORECASTS, rows))
    yield result(ISSUED, "quantiles_ordered", crossing_quantiles(rows, QUANTILES))
    counts = rows.group_by("origin_date").agg(pl.len()).sort("origin_date")
    lacking = counts.filter(pl.col("len") != HORIZONS * len(MODELS))
    yield result(
        ISSUED, "complete", [f"{d}: {n} rows, not {HORIZONS * len(MODELS)}" for d, n in lacking.iter_rows()]
    )


def newest_origins(platform: Platform) -> pl.DataFrame:
    """Read the forecasts of the newest origins."""
    newest = platform.tables.read(VINTAGES_IN_FORCE, columns=["date"])["date"].max()
    start = None if newest is None else newest - RECENT_ORIGINS * DAY  # type: ignore[operator]
    return platform.tables.read(FORECASTS, start=start)  # type: ignore[arg-type]


def crossing_quantiles(rows: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """List forecasts whose quantiles decrease somewhere, or are no prices."""
    falls = [pl.col(a) > pl.col(b) for a, b in pairwise(columns)]
    no_price = [~pl.col(c).is_finite() | (pl.col(c) <= 0) | pl.col(c).is_null() for c in columns]
    wrong = rows.filter(pl.any_horizontal(*falls, *no_price))
    return [f"{r['model']} {r['origin_date']} +{r['horizon']}" for r in wrong.to_dicts()]


@multi_check(
    name="forecast_scores_checks",
    specs=[
        spec(
            FORECAST_SCORES.name, "follows_its_contract", "Columns, types and keys are those of the contract."
        ),
        spec(
            FORECAST_SCORES.name,
            "follows_from_the_record",
            "Scores and baselines follow from forecasts and candles: the newest day's every day, all on "
            "Sundays and after a range.",
        ),
        spec(FORECAST_SCORES.name, "calibrated", "Recent coverage and loss stay within their expected band."),
    ],
)
def forecast_scores_checks(context: Context, platform: Platform) -> Results:
    """Check the scores, and whether the forecasts drift."""
    from btc_assets.ledger.verification.score_checks import all_faults, target_faults
    from btc_assets.scoring.drift import measure_drift

    scores = platform.tables.read(FORECAST_SCORES)
    yield result(FORECAST_SCORES.name, "follows_its_contract", contract_violations(FORECAST_SCORES, scores))
    symbol, newest = platform.settings.symbol, scores["target_date"].max()
    if isinstance(newest, dt.date) and not verifies_whole_chain(window_of_run(context.run)):
        faults = target_faults(platform.tables, symbol, newest)
    else:
        faults = all_faults(platform.tables, symbol)
    yield result(FORECAST_SCORES.name, "follows_from_the_record", faults)
    wrong = [
        f"{model}: {reason}"
        for model in MODELS
        for reason in measure_drift(scores.filter(model=model, horizon=1), 1).reasons
    ]
    yield result(FORECAST_SCORES.name, "calibrated", wrong, warn=True)


NETWORK_CHECKS = [network_checks(kind) for kind in NETWORKS]
