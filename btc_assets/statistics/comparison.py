"""Decide whether one forecast's losses are better or worse than another's, or cannot be told apart.

The one rule for the page, ``btc backtest``, the check of the scores and the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from btc_assets.statistics.metrics import Floats
from btc_assets.statistics.significance import diebold_mariano

INDEPENDENT = 10
"""Forecasts end to end, without overlap, that a verdict needs; overlapping ones repeat each other."""

LEVEL = 0.05
"""Two-sided probability, if both were equally good, below which a difference is called better or worse."""

_SAME = 1e-4
"""Of the reference's mean loss: no difference beyond it on any origin is no difference."""

Verdict = Literal["better", "worse", "no better", "too few to tell", "equal by design"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Losses of one forecast beside a reference's.

    Attributes:
        verdict: what may be said.
        change: mean difference as a share of the reference's mean; negative is better.
        margin: of ``change``, at 95 %; None without a test.
        p: two-sided, Diebold-Mariano with the small-sample correction; None without a test.
        independent: how many forecasts lie end to end.
    """

    verdict: Verdict
    change: float = 0.0
    margin: float | None = None
    p: float | None = None
    independent: int = 0


def compare_losses(losses: Floats, reference: Floats, horizon: int) -> Comparison:
    """Compare losses on the same daily origins, in order, of forecasts ``horizon`` days ahead.

    Losses that are the same on every origin are equal by design, however few; otherwise ``INDEPENDENT``
    forecasts end to end are needed. The test is that of ``diebold_mariano`` with lag ``horizon`` - 1.
    """
    independent = len(losses) // horizon
    if len(losses) == 0:
        return Comparison("too few to tell")
    scale = float(reference.mean())
    if np.abs(losses - reference).max() <= _SAME * scale:
        return Comparison("equal by design", independent=independent)
    difference = np.ascontiguousarray((losses - reference) / scale)
    change = float(difference.mean())
    test = diebold_mariano(difference, horizon - 1) if independent >= INDEPENDENT else None
    if test is None:
        return Comparison("too few to tell", change, independent=independent)
    margin = 1.96 * abs(change / test.statistic) if test.statistic else None
    verdict: Verdict = "better" if change < 0 else "worse"
    return Comparison(
        verdict if test.p_two_sided < LEVEL else "no better", change, margin, test.p_two_sided, independent
    )


def format_p(p: float) -> str:
    """Write a probability as ``p = 0.012``, and ``p < 0.001`` where three digits would say 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
