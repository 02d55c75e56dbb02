"""Decide whether recent forecasts drifted: ranges or losses that left what chance allows.

The one rule for the check, the page, ``btc backtest`` and the API. Forecasts ``horizon`` days ahead overlap,
so every horizon-th counts as an independent trial; the window grows with the horizon to hold enough of them.
With ``LEVEL`` = 0.01 a sound range raises a false alarm about once in a hundred looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import polars as pl

from btc_assets.statistics.comparison import INDEPENDENT, compare_losses, format_p

RECENT = 90
"""Targets that are looked at; more at long horizons, so that ``INDEPENDENT`` lie end to end."""

FEWEST = 30
"""Targets below which nothing is said; more at long horizons, likewise."""

LEVEL = 0.01
"""Probability, if nothing is wrong, below which drift is called."""

COVERAGES = (50, 80, 95)

Verdict = Literal["drifted", "within chance", "too few to tell"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the recent closes lay in a range (``percent``), and the shares that chance allows."""

    percent: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drift:
    """What is said of a model's recent forecasts at a horizon, and each reason for calling it drift.

    ``targets`` were looked at; ``loss_ratio`` is their loss over the random walk's, None if they are too few.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    targets: int = 0
    coverages: tuple[Coverage, ...] = ()
    loss_ratio: float | None = None


def window(horizon: int) -> int:
    """Return how many targets are recent at a horizon (days)."""
    return max(RECENT, INDEPENDENT * horizon)


def measure_drift(scores: pl.DataFrame, horizon: int) -> Drift:
    """Judge the newest forecasts of one model, ``horizon`` days ahead (its rows of FORECAST_SCORES)."""
    recent = scores.sort("target_date").tail(window(horizon))
    if recent.height < _fewest(horizon):
        return Drift("too few to tell", targets=recent.height)
    last = {percent: coverage_path(recent, percent, horizon).row(-1, named=True) for percent in COVERAGES}
    reasons = [reason for percent in COVERAGES if (reason := _coverage_reason(last[percent], percent))]
    losses, reference = recent["pinball"].to_numpy(), recent["pinball_random_walk"].to_numpy()
    against = compare_losses(losses, reference, horizon)
    if against.verdict == "worse" and against.p is not None and against.p < LEVEL:
        times = f"{1 + against.change:.3f} times the random walk's"
        reasons.append(f"loss {times} over {recent.height} days ({format_p(against.p)})")
    coverages = tuple(Coverage(p, row["share"], row["low"], row["high"]) for p, row in last.items())
    verdict: Verdict = "drifted" if reasons else "within chance"
    return Drift(verdict, tuple(reasons), recent.height, coverages, 1 + against.change)


def coverage_path(scores: pl.DataFrame, percent: int, horizon: int) -> pl.DataFrame:
    """Return how a range held over time, for one model's rows at one horizon.

    One row a target with enough up to it: target_date, count, hits, share (inside, of the recent ones), low
    and high (the shares that chance allows).
    """
    size, least = window(horizon), _fewest(horizon)
    hits = pl.col(f"inside_{percent}").cast(pl.Int64).rolling_sum(size, min_samples=least)
    count = pl.int_range(1, pl.len() + 1).clip(upper_bound=size)
    path = scores.sort("target_date").select("target_date", count=count, hits=hits).drop_nulls()
    counts = path["count"].unique()
    limits = [chance_limits(n // horizon, percent / 100) for n in counts.to_list()]
    bands = pl.DataFrame({"count": counts, "low": [a for a, _ in limits], "high": [b for _, b in limits]},
                         schema_overrides={"low": pl.Float64, "high": pl.Float64})  # fmt: skip
    return path.with_columns(share=pl.col("hits") / pl.col("count")).join(
        bands, on="count", how="left", maintain_order="left"
    )


@lru_cache(maxsize=1024)
def chance_limits(trials: int, probability: float) -> tuple[float, float]:
    """Return the lowest and highest share of ``trials`` that an exact binomial test at ``LEVEL`` accepts."""
    counts = range(trials + 1)
    chances = [math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in counts]
    # Two-sided: the chance of all counts no more likely than this one.
    accepted = [k for k in counts if sum(c for c in chances if c <= chances[k] * (1 + 1e-12)) >= LEVEL]
    return accepted[0] / trials, accepted[-1] / trials


def _coverage_reason(last: Mapping[str, Any], percent: int) -> str | None:
    if last["low"] <= last["share"] <= last["high"]:
        return None
    count = last["count"]
    chance = f"chance allows {last['low'] * count:.0f} to {last['high'] * count:.0f}"
    return f"{last['hits']} of the last {count} closes inside the {percent} % range; {chance}"


def _fewest(horizon: int) -> int:
    return max(FEWEST, INDEPENDENT * horizon)
