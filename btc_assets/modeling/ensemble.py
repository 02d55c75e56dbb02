"""The ensemble: at each level the geometric mean of its members' quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from btc_assets.modeling.history import Floats


def combine(members: Sequence[Floats]) -> Floats:
    """Mean of the members' log-return quantiles [HORIZONS, 21], level by level.

    Averaging quantiles (Vincent's method) keeps them ordered and their width between the members';
    averaging probabilities would widen it (Lichtendahl, Grushka-Cockayne and Winkler 2013, Management
    Science 59, 1594-1611).
    """
    total = np.zeros_like(members[0])
    for member in members:
        total = total + member
    return np.asarray(total / len(members))
