"""Drift alarms: recent coverage or loss that chance does not explain.

Only forecasts one day ahead are tested: their targets do not overlap, so each day is a trial of its own and
the tests mean what they say. With ``LEVEL`` = 0.01 a sound model raises a false alarm about once in a
hundred looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import polars as pl

from btc_assets.contracts import MODELS
from btc_assets.statistics.significance import diebold_mariano

RECENT = 90
"""Matured targets that are looked at."""

FEWEST = 30
"""Below this number nothing can be said."""

LEVEL = 0.01
"""Probability, if nothing is wrong, below which an alarm is raised."""

COVERAGES = (50, 80, 95)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a model that left its expected band, in words."""

    model: str
    kind: Literal["coverage", "loss"]
    text: str


def alarms(scores: pl.DataFrame) -> list[Alarm]:
    """Alarms of each model over its newest ``RECENT`` one-day-ahead forecasts (rows of FORECAST_SCORES)."""
    found = []
    for model in MODELS:
        rows = scores.filter((pl.col("model") == model) & (pl.col("horizon") == 1)).sort("target_date")
        recent = rows.tail(RECENT)
        if recent.height >= FEWEST:
            found += [*coverage_alarms(model, recent), *loss_alarms(model, recent)]
    return found


def coverage_alarms(model: str, recent: pl.DataFrame) -> list[Alarm]:
    """Intervals that held too often or too rarely, by an exact two-sided binomial test."""
    found = []
    for nominal in COVERAGES:
        hits, trials = int(recent[f"inside_{nominal}"].sum()), recent.height
        p = binomial_two_sided(hits, trials, nominal / 100)
        if p < LEVEL:
            text = (
                f"{model}: {hits} of the last {trials} closes inside the {nominal} % interval (p = {p:.4f})"
            )
            found.append(Alarm(model, "coverage", text))
    return found


def loss_alarms(model: str, recent: pl.DataFrame) -> list[Alarm]:
    """A loss clearly above the random walk's, by a one-sided Diebold-Mariano test."""
    difference = (recent["pinball"] - recent["pinball_random_walk"]).to_numpy()
    test = diebold_mariano(difference, 0)
    if test is None or test.p_worse >= LEVEL:
        return []
    ratio = float(recent["pinball"].sum()) / float(recent["pinball_random_walk"].sum())
    days = f"over {recent.height} days (p = {test.p_worse:.4f})"
    text = f"{model}: loss {ratio:.3f} times the random walk's {days}"
    return [Alarm(model, "loss", text)]


def binomial_two_sided(hits: int, trials: int, probability: float) -> float:
    """Exact two-sided p-value: the chance of all counts that are no more likely than ``hits``."""
    likely = [
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(trials + 1)
    ]
    return min(1.0, sum(weight for weight in likely if weight <= likely[hits] * (1 + 1e-12)))
