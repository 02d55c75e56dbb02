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
from btc_assets.modeling.anchor import anchor
from btc_assets.modeling.history import Floats, history
from btc_assets.modeling.inference import Origin, Predictor, feature_rows
from btc_assets.scoring.metrics import pinball
from btc_assets.scoring.significance import diebold_mariano

WINDOW = 120
"""Origins that a vintage is judged on."""

JUDGED_HORIZONS = tuple(range(1, 8))

CLEARLY = 0.01
"""One-sided probability below which a difference counts as clear."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a vintage is sound, and why, in words fit for the track record."""

    sound: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Trial:
    """The most recent matured window at a cutoff: origins with their anchors and outcomes."""

    origins: list[Origin]
    outcomes: Floats
    anchor_loss: Floats

    def losses(self, predictor: Predictor) -> Floats:
        """Mean loss of each origin relative to the anchor's mean loss at each horizon [origins].

        Raises:
            BadModel: an output is not finite.
        """
        factors = np.stack([predictor.log_factors(origin) for origin in self.origins])
        anchors = np.stack([origin.anchor for origin in self.origins])
        columns = np.array(JUDGED_HORIZONS) - 1
        loss = pinball(anchors * np.exp(factors[:, columns])[..., None], self.outcomes)
        return np.asarray((loss / self.anchor_loss.mean(axis=0)).mean(axis=1))

    def walk_losses(self) -> Floats:
        """The same of the anchor itself, the mixture random walk."""
        return np.asarray((self.anchor_loss / self.anchor_loss.mean(axis=0)).mean(axis=1))


def trial(klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date) -> Trial:
    """The window that vintages are judged on at ``cutoff``; reads nothing after it."""
    h = history(klines, end=cutoff + DAY)
    end = h.index(cutoff)
    horizons = np.array(JUDGED_HORIZONS)
    origins, outcomes = [], []
    for t in range(end - WINDOW - int(horizons.max()) + 1, end - int(horizons.max()) + 1):
        realised = h.log_close[t + horizons] - h.log_close[t]
        if not np.isfinite(realised).all():
            continue
        day = h.first + t * DAY
        quantiles = anchor(h, day, JUDGED_HORIZONS)
        origins.append(Origin(h, day, float(h.close[t]), quantiles, feature_rows(features, day)))
        outcomes.append(realised)
    anchors = np.stack([origin.anchor for origin in origins])
    observed = np.stack(outcomes)
    return Trial(origins, observed, pinball(anchors, observed))


def judge(candidate: Predictor, predecessor: Predictor | None, window: Trial) -> Verdict:
    """Whether ``candidate`` may come into force.

    Args:
        candidate: the vintage in question.
        predecessor: the vintage of the cutoff before it; None if there is none to compare with.
        window: ``trial`` at the candidate's cutoff.
    """
    try:
        losses = window.losses(candidate)
    except ModelError as error:
        return Verdict(False, f"its output is unusable: {error}")
    rivals = {"the mixture random walk": window.walk_losses()}
    if predecessor is not None:
        try:
            rivals[f"the vintage of {predecessor.cutoff}"] = window.losses(predecessor)
        except ModelError:
            predecessor = None
    said = []
    for name, other in rivals.items():
        change = f"{100 * (losses.mean() / other.mean() - 1):+.2f} % loss against {name}"
        test = diebold_mariano(losses - other, max(JUDGED_HORIZONS) - 1)
        p = 1.0 if test is None else test.p_worse
        if p < CLEARLY:
            return Verdict(False, f"clearly worse on {len(losses)} matured origins: {change} (p = {p:.4f})")
        said.append(change)
    alone = "" if predecessor is not None else "; no earlier vintage to compare with"
    return Verdict(True, f"not clearly worse on {len(losses)} matured origins: {', '.join(said)}{alone}")
