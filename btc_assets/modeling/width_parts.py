"""Why a forecast is as wide as it is: the log of its width as a sum of parts, to the last digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from btc_assets.contracts import LEVELS, NETWORKS
from btc_assets.modeling.anchor import CASCADE, anchor, seen_volatility
from btc_assets.modeling.forecast import beyond_a_month, combine
from btc_assets.modeling.history import Floats
from btc_assets.modeling.inference import Origin, Predictor
from btc_assets.vocabulary import ENSEMBLE

LOW, HIGH = LEVELS.index(0.1), LEVELS.index(0.9)

PARTS = (
    "year", "month", "week", "3 days", "day", "4-hour candles", "weekdays", "options", *NETWORKS,
    "nearer days",
)  # fmt: skip
"""What each part adds, in this order; the first is the width that the year alone would give."""


def log_width(log_returns: Floats) -> Floats:
    """Return the log of the distance [horizons] from the 10 to the 90 % quantile of ``log_returns``."""
    return np.asarray(np.log(log_returns[:, HIGH] - log_returns[:, LOW]))


def width_parts(state: Origin, predictors: Mapping[str, Predictor], model: str) -> dict[str, Floats]:
    """Take the width of ``model``'s forecast apart: by PARTS, what each adds to its log [HORIZONS].

    Each part is the change of the log of the width when one thing more counts, in the order of PARTS: the
    volatility of the last month, week, three days and day as the days' own ranges tell it, what 4-hour
    candles tell beyond these, the weekdays and US holidays ahead, implied volatility where it is known, each
    network, and what nearer days say: the range they had reached, and a month's grown with the root of time.
    So the parts sum to the log of the width.

    Args:
        predictors: the networks in force, by kind.
    """
    h, day = state.history, state.day
    by_range = seen_volatility(replace(h, log_realised=np.full(len(h), np.nan)), day)
    seen = np.full(len(CASCADE), by_range[-1])
    plain = partial(anchor, h, day, options=False)
    widths = [log_width(plain(seen, weekdays=False))]
    for place in reversed(range(len(CASCADE) - 1)):
        seen[place] = by_range[place]
        widths.append(log_width(plain(seen, weekdays=False)))
    widths.append(log_width(plain(seen_volatility(h, day), weekdays=False)))
    widths.append(log_width(plain()))
    widths.append(log_width(state.anchor))
    with_options = widths[-1]
    members = NETWORKS if model == ENSEMBLE else (model,)
    factors = np.ones((len(members), len(state.anchor)))
    for kind in NETWORKS:
        if kind in members:
            factors[members.index(kind)] = np.exp(predictors[kind].log_factors(state.features, day))
        widths.append(with_options + np.log(factors.mean(axis=0)))
    returns = [beyond_a_month(state.anchor * factor[:, None]) for factor in factors]
    widths.append(log_width(combine(returns)))
    changes = [widths[0], *np.diff(widths, axis=0)]
    return dict(zip(PARTS, changes, strict=True))
