"""The distribution that both networks depart from, and a memory of it for training."""

from __future__ import annotations

import datetime as dt

import numpy as np

from btc_assets.contracts import HORIZONS, LEVELS
from btc_assets.modeling.baselines import MIN_HISTORY, REACH, mixture_walk
from btc_assets.modeling.history import Floats, History

ANCHOR_REACH = REACH
"""Days before an origin that its anchor reads."""

ANCHOR_MIN_HISTORY = MIN_HISTORY
"""Candles before an origin without which it has no anchor."""

TRAINED_HORIZONS = np.array([1, 2, 3, 4, 5, 7, 10, 14, 21, 30, 45, 60, 90])
"""Horizons that enter the training loss; the networks' outputs at the others follow from their knots."""

anchor = mixture_walk
"""Quantiles [horizons, 21] of the log return from an origin that a network stretches or shrinks."""


class Anchors:
    """Anchors of a history's origins at the trained horizons, each computed once.

    An anchor is a function of the candles up to its origin, so sharing this between cutoffs shares no future.
    """

    def __init__(self, h: History) -> None:
        self.history = h
        self._known: dict[dt.date, Floats] = {}

    def at(self, origin: dt.date) -> Floats:
        """Log-return quantiles [trained horizons, 21] from ``origin``."""
        if origin not in self._known:
            self._known[origin] = anchor(self.history, origin, TRAINED_HORIZONS.tolist())
        return self._known[origin]

    def stack(self, origins: list[dt.date]) -> Floats:
        """Anchors [origins, trained horizons, 21]."""
        if not origins:
            return np.zeros((0, len(TRAINED_HORIZONS), len(LEVELS)))
        return np.stack([self.at(origin) for origin in origins])


assert int(TRAINED_HORIZONS.max()) <= HORIZONS
