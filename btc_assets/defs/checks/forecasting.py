"""Checks of models, forecasts and scores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    MODELS,
    NETWORKS,
    QUANTILES,
    VINTAGES_IN_FORCE,
)
from btc_assets.defs.checks.ledger import verifies_whole_chain
from btc_assets.defs.checks.results import Context, Results, contract_result, multi_check, result
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import window_of_run
from btc_assets.errors import BtcError
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry.protocol import ModelRef, VintageId
from btc_assets.storage.tables import TableReader

if TYPE_CHECKING:
    from btc_assets.scoring.drift import Drift

RECENT_ORIGINS = 30
ISSUED = FORECASTS.name


def network_checks(kind: str) -> dg.AssetChecksDefinition:
    """Build the checks of ``<kind>_model``."""
    asset = f"{kind}_model"

    @multi_check(
        f"{asset}_checks",
        asset,
        {"not_held_back": "The newest vintage was sound and came into force."},
        blocking={
            "verified": "The vintage in force hashes to what was recorded.",
            "has_not_seen_the_future": "No vintage's cutoff lies after a day it is in force for.",
        },
    )
    def checks(_: Context, platform: Platform) -> Results:
        rows = platform.tables.read(VINTAGES_IN_FORCE).filter(pl.col("model") == kind)
        newest = rows.tail(1)
        vintage = {"vintage": str(newest["vintage"].first())}
        faults = verification_faults(platform, rows)
        yield result(asset, "verified", faults, checked=newest.height, metadata=vintage)
        yield from has_not_seen_the_future(asset, rows)
        age = (newest["date"] - newest["vintage"]).dt.total_days().to_list()
        held_back = newest.filter(pl.col("action") == "held_back")["reason"].to_list()
        figures = vintage | {"age of the vintage, days": age[0] if age else 0}
        yield result(asset, "not_held_back", held_back, warn=True, checked=newest.height, metadata=figures)

    return checks


def has_not_seen_the_future(asset: str, rows: pl.DataFrame) -> Results:
    """Measure by how many days the latest cutoff lies after a day that its vintage is in force for."""
    after = (rows["vintage"] - rows["date"]).dt.total_days()
    late = rows.filter(pl.col("vintage") > pl.col("date"))
    wrong = [f"{r['date']}: cutoff {r['vintage']}" for r in late.to_dicts()]
    most = max(after.to_list(), default=0)
    quantity, name = "days from an origin to a later cutoff", "has_not_seen_the_future"
    yield result(asset, name, wrong, checked=rows.height, measured=float(most), quantity=quantity)


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
    "forecasts_checks",
    ISSUED,
    {},
    contract=True,
    blocking={
        "quantiles_ordered": "The 21 quantiles never cross, are finite and positive.",
        "complete": "Every origin has 90 horizons of every model.",
    },
)
def forecasts_checks(_: Context, platform: Platform) -> Results:
    """Check the forecasts of the newest 30 origins."""
    rows = newest_origins(platform)
    count, whole = rows.height, HORIZONS * len(MODELS)
    yield contract_result(FORECASTS, rows)
    yield result(ISSUED, "quantiles_ordered", crossing_quantiles(rows, QUANTILES), checked=count)
    counts = rows.group_by("origin_date").agg(pl.len()).sort("origin_date")
    lacking = [f"{d}: {n} rows, not {whole}" for d, n in counts.iter_rows() if n != whole]
    fewest, quantity = min(counts["len"].to_list(), default=whole), "fewest rows of an origin"
    seen = counts.height
    yield result(ISSUED, "complete", lacking, checked=seen, measured=fewest, bound=whole, quantity=quantity)


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
    "forecast_scores_checks",
    FORECAST_SCORES.name,
    {
        "follows_from_the_record": "Scores and baselines follow from forecasts and candles. Daily for "
        "the newest day; on Sundays and after a range for all.",
        "calibrated": "Recent coverage and loss stay within their expected band.",
    },
    contract=True,
)
def forecast_scores_checks(context: Context, platform: Platform) -> Results:
    """Check the scores, and whether the forecasts drift."""
    from btc_assets.ledger.verification.score_checks import all_faults, target_faults

    whole = verifies_whole_chain(window_of_run(context.run))
    scores = recent_scores(platform.tables, platform.now().date(), whole)
    symbol, newest = platform.settings.symbol, scores["target_date"].max()
    if isinstance(newest, dt.date) and not whole:
        faults = target_faults(platform.tables, symbol, newest, [BASELINE_FORECASTS, FORECAST_SCORES])
        rows = scores.filter(target_date=newest).height
    else:
        faults, rows = all_faults(platform.tables, symbol), scores.height
    yield contract_result(FORECAST_SCORES, scores)
    yield result(FORECAST_SCORES.name, "follows_from_the_record", faults, checked=rows)
    yield calibrated(scores)


def recent_scores(tables: TableReader, today: dt.date, whole: bool) -> pl.DataFrame:
    """Read all scores, or those of half a year if that is all that ``calibrated`` looks at."""
    from btc_assets.scoring.drift import RECENT

    recent = tables.read(FORECAST_SCORES, start=today - 2 * RECENT * DAY)
    fewest = min(recent.filter(model=model, horizon=1).height for model in MODELS)
    return tables.read(FORECAST_SCORES) if whole or fewest < RECENT else recent


def calibrated(scores: pl.DataFrame) -> dg.AssetCheckResult:
    """Judge whether recent coverage and loss stay within what chance allows (rows of FORECAST_SCORES)."""
    from btc_assets.scoring.drift import measure_drift

    found = {model: measure_drift(scores.filter(model=model, horizon=1), 1) for model in MODELS}
    reasons = [f"{model}: {reason}" for model, drift in found.items() for reason in drift.reasons]
    targets, numbers = sum(drift.targets for drift in found.values()), in_numbers(found)
    name = FORECAST_SCORES.name
    return result(name, "calibrated", reasons, warn=True, checked=targets, metadata=numbers)


def in_numbers(found: Mapping[str, Drift]) -> dict[str, float]:
    """Return by model the measured shares inside the ranges with their bounds, and the loss."""
    numbers: dict[str, float] = {}
    for model, drift in found.items():
        for c in drift.coverages:
            name = f"{model}, share inside the {c.percent} % range"
            numbers |= {name: c.share, f"{name}: at least": c.low, f"{name}: at most": c.high}
        if drift.loss_ratio is not None:
            numbers[f"{model}, loss / random walk's"] = drift.loss_ratio
    return numbers


NETWORK_CHECKS = [network_checks(kind) for kind in NETWORKS]
