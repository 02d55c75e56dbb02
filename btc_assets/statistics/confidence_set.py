"""The model confidence set: which of several forecasts may be the best, as far as their losses can tell."""

from __future__ import annotations

import numpy as np

from btc_assets.statistics.metrics import Floats

_SAME = 1e-9
"""Of the largest mean loss: a difference that never varies by more is none."""


def confidence_set(means: Floats, resampled: Floats) -> Floats:
    """Compute, by model, the p-value up to which it stays in the set [models].

    Hansen, Lunde and Nason (2011), Econometrica 79, 453-497, with the range statistic: the pair of models
    furthest apart is held against what resampling gives, and its worse one leaves. What is left at a
    p-value of 0.05 or more holds the best model with 95 % confidence. Written out because the library that
    has it, ``arch``, takes 165 MB of a web process; the tests hold it to that library's numbers.

    Args:
        means: mean losses [models].
        resampled: the same of resampled days [draws, models].
    """
    apart = means[:, None] - means
    drawn = resampled[:, :, None] - resampled[:, None, :] - apart
    spread = np.sqrt((drawn**2).mean(axis=0))
    same = spread <= _SAME * np.abs(means).max()
    scale = np.where(same, np.inf, spread)
    apart, drawn = apart / scale, drawn / scale
    p_values, left, reached = np.ones(len(means)), np.arange(len(means)), 0.0
    while len(left) > 1:
        rows, columns = np.ix_(left, left)
        now = apart[rows, columns]
        chance = (drawn[:, rows, columns].max(axis=(1, 2)) >= now.max()).mean()
        reached = max(reached, float(chance))
        worst = left[now.max(axis=1).argmax()]
        p_values[worst] = reached
        left = left[left != worst]
    return p_values
