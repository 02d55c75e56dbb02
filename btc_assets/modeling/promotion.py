"""Whether a new vintage may come into force: finite, and not clearly worse than what it would replace.

What is compared: the mean pinball loss over the horizons 1 to 7, relative to the anchor's, of the last
``WINDOW`` origins whose targets had all closed by the cutoff; pair by pair, one-sided, by the test of
Diebold and Mariano with autocovariances up to 6 days and the small-sample correction.

What it can show: both vintages were trained on most of that window, and the newer one on a week more, so
the comparison favours the newer one a little. It is a guard: a vintage whose training went wrong (diverged,
collapsed, fed with damaged features) fails it even on rows it has seen; a sound refit that is merely no
better passes. Whether the networks are worth anything out of sample is what forecast_scores says.
The alternative, a second fit without the window, would cost as much as the first and would test a network
that never comes into force.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.errors import ModelError
from btc_assets.market.calendar import DAY
from btc_assets.modeling.anchor import TRAINED_HORIZONS, Anchors
from btc_assets.modeling.history import Floats
from btc_assets.modeling.inference import FeatureRows, Predictor, feature_rows
from btc_assets.statistics.metrics import pinball
from btc_assets.statistics.significance import diebold_mariano

WINDOW = 120
"""Origins that a vintage is evaluated on."""

EVALUATED = TRAINED_HORIZONS[TRAINED_HORIZONS <= 7]
"""Horizons that a vintage is evaluated on."""

CLEARLY = 0.01
"""One-sided probability below which a difference counts as clear."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Whether a vintage is sound, and why, in words fit for the track record."""

    sound: bool
    reason: str


@dataclass(frozen=True, eq=False)
class EvaluationWindow:
    """The most recent matured window at a cutoff.

    Attributes:
        days: its origins.
        features: the rows that a network may read at each.
        anchors: log-return quantiles [origins, EVALUATED, 21].
        outcomes: log returns that followed [origins, EVALUATED].
    """

    days: list[dt.date]
    features: list[FeatureRows]
    anchors: Floats
    outcomes: Floats

    def losses(self, predictor: Predictor | None) -> Floats:
        """Compute the loss of each origin [origins], as a ratio to the anchor's, mean over horizons.

        None: the anchor's own loss.

        Raises:
            BadModel: an output is not finite.
        """
        quantiles = self.anchors
        if predictor is not None:
            pairs = zip(self.features, self.days, strict=True)
            factors = np.stack([predictor.log_factors(rows, day) for rows, day in pairs])
            quantiles = self.anchors * np.exp(factors[:, EVALUATED - 1])[..., None]
        typical = pinball(self.anchors, self.outcomes).mean(axis=0)
        return np.asarray((pinball(quantiles, self.outcomes) / typical).mean(axis=1))


def evaluation_window(anchors: Anchors, features: pl.DataFrame, cutoff: dt.date) -> EvaluationWindow:
    """Choose the origins that vintages are evaluated on at ``cutoff``; reads nothing after it."""
    h = anchors.history
    end = h.index(cutoff) - int(EVALUATED.max())
    days, rows, quantiles, outcomes = [], [], [], []
    for t in range(end - WINDOW + 1, end + 1):
        realised = h.log_close[t + EVALUATED] - h.log_close[t]
        if np.isfinite(realised).all():
            day = h.first + t * DAY
            days.append(day)
            rows.append(feature_rows(features, day))
            quantiles.append(anchors.at(day)[: len(EVALUATED)])
            outcomes.append(realised)
    return EvaluationWindow(days, rows, np.stack(quantiles), np.stack(outcomes))


def evaluate_vintage(
    candidate: Predictor, predecessor: Predictor | None, window: EvaluationWindow
) -> Evaluation:
    """Decide whether ``candidate`` may come into force.

    Args:
        predecessor: the vintage of the cutoff before it; None if there is none to compare with.
        window: ``evaluation_window`` at the candidate's cutoff.
    """
    try:
        losses = window.losses(candidate)
    except ModelError as error:
        return Evaluation(False, f"its output is unusable: {error}")
    rivals = {"the random walk it departs from": window.losses(None)}
    if predecessor is not None:
        try:
            rivals[f"the vintage of {predecessor.cutoff}"] = window.losses(predecessor)
        except ModelError:
            predecessor = None
    said = []
    for name, other in rivals.items():
        change = _change(100 * float(losses.mean() / other.mean() - 1), name)
        test = diebold_mariano(losses - other, int(EVALUATED.max()) - 1)
        p = 1.0 if test is None else test.p_worse
        if p < CLEARLY:
            return Evaluation(
                False, f"clearly worse on {len(losses)} matured origins: {change} (p = {p:.4f})"
            )
        said.append(change)
    alone = "" if predecessor is not None else "; no earlier vintage to compare with"
    return Evaluation(True, f"not clearly worse on {len(losses)} matured origins: {', '.join(said)}{alone}")


def _change(percent: float, name: str) -> str:
    """Say how much more or less loss than ``name``; never "-0.00 %"."""
    if abs(percent) < 0.005:
        return f"as much loss as {name}"
    return f"{abs(percent):.2f} % {'less' if percent < 0 else 'more'} loss than {name}"
