"""The rules that the numbers of a forecast obey, each with the sentence that says how one is broken."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from btc_assets.contracts import QUANTILES
from btc_assets.forecasters.protocol import SHAPE

RULES = ("shape", "finite", "positive", "ordered")
"""In the order in which they are judged; a broken shape leaves the others unjudged."""


def broken_rules(values: NDArray[np.float64]) -> Mapping[str, str]:
    """Return by rule how ``values``, which should be quantiles [90, 21], break it; empty: they do not.

    >>> import numpy as np
    >>> broken_rules(np.ones((90, 21)))
    {}
    >>> broken_rules(np.ones((90, 20)))
    {'shape': 'the shape is [90, 20], not [90, 21]'}
    """
    if values.shape != SHAPE:
        return {"shape": f"the shape is {list(values.shape)}, not {list(SHAPE)}"}
    judged = {
        "finite": (~np.isfinite(values), "is {value}, no number"),
        "positive": (values <= 0, "is {value:g} USDT; a price is more than 0"),
        "ordered": (_falls(values), "is {value:g}, less than the quantile before it"),
    }
    return {rule: _first(wrong, values, said) for rule, (wrong, said) in judged.items() if wrong.any()}


def _falls(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.pad(values[:, 1:] < values[:, :-1], ((0, 0), (1, 0)))


def _first(wrong: NDArray[np.bool_], values: NDArray[np.float64], said: str) -> str:
    row, column = np.argwhere(wrong)[0]
    where = f"{QUANTILES[column]} of day +{row + 1}"
    more = int(wrong.sum()) - 1
    return f"{where} {said.format(value=values[row, column])}" + (f" ({more:,} more)" if more else "")
