"""Answers to questions: the share of paths on which it happens. One path that happened answers them, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from btc_assets.chances.paths import Paths
from btc_assets.chances.questions import Close, Fall, Question, Range, Stay, Touch, Worth
from btc_assets.modeling.history import Floats

Happens = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Values = TypeVar("Values", Floats, Happens)

LEVELS_SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles in an answer."""

CONFIDENCES = (0.95, 0.99)
"""Of value at risk and expected shortfall."""


@dataclass(frozen=True, eq=False)
class ChanceAnswer:
    """What the paths say to a question; what does not apply is empty.

    Attributes:
        by_day: the chance, 0 to 1, that it happens by (``Close``: at the close of) each day [days].
        quantiles: by name, quantiles at ``LEVELS_SHOWN``: highest, lowest, worth (USDT), fall (0 to 1).
        at_risk: by confidence, the loss of worth that is exceeded with the rest of probability, USDT.
        shortfall: by confidence, the mean loss where it is exceeded, USDT (expected shortfall: Acerbi and
            Tasche 2002, J. Banking and Finance 26, 1487-1503).
    """

    by_day: Floats = field(default_factory=lambda: np.empty(0))
    quantiles: dict[str, list[float]] = field(default_factory=dict)
    at_risk: dict[float, float] = field(default_factory=dict)
    shortfall: dict[float, float] = field(default_factory=dict)

    @property
    def chance(self) -> float | None:
        """The chance of what was asked; None where a quantity was asked for."""
        return float(self.by_day[-1]) if len(self.by_day) else None


def answer_question(paths: Paths, question: Question) -> ChanceAnswer:
    """Ask ``question`` of ``paths``, which must reach as many days."""
    close, high, low = (prices[: question.days] for prices in (paths.close, paths.high, paths.low))
    match question:
        case Close():
            return ChanceAnswer(_share((close > question.low) & (close < question.high)))
        case Touch(price=price):
            there = high >= price if price > paths.start else low <= price
            return ChanceAnswer(_share(accumulated(np.logical_or, there)))
        case Stay():
            inside = (low >= question.low) & (high <= question.high)
            return ChanceAnswer(_share(accumulated(np.logical_and, inside)))
        case Fall():
            falls = falls_to(paths, question.days, question.from_peak)
            return ChanceAnswer(_share(falls >= question.share), {"fall": _quantiles(falls[-1])})
        case Range():
            reached = {"highest": high.max(axis=0), "lowest": low.min(axis=0)}
            return ChanceAnswer(quantiles={name: _quantiles(prices) for name, prices in reached.items()})
        case Worth(amount=amount):
            return _worth(amount * paths.start, amount * close[-1])


def falls_to(paths: Paths, days: int, from_peak: bool) -> Floats:
    """Return the largest fall by each day, 0 to 1 [days, paths], from the start or the highest price since.

    A day's own high does not count as its peak, since it may come after its low.
    """
    top = np.full((days, paths.high.shape[1]), paths.start)
    if from_peak:
        top[1:] = accumulated(np.maximum, np.maximum(paths.high[: days - 1], paths.start))
    return accumulated(np.maximum, np.maximum(1.0 - paths.low[:days] / top, 0.0))


def accumulated(best: np.ufunc, values: Values) -> Values:
    """Make ``values`` [days, paths] the best until each day; by rows in a fifth of ``accumulate``'s time."""
    for before, now in pairwise(values):
        best(before, now, out=now)
    return values


def _share(happens: Happens) -> Floats:
    return np.asarray(np.count_nonzero(happens, axis=1) / happens.shape[1])


def _quantiles(values: Floats) -> list[float]:
    return [float(value) for value in np.quantile(values, LEVELS_SHOWN)]


def _worth(now: float, then: Floats) -> ChanceAnswer:
    losses = np.sort(now - then)[::-1]
    worst = {confidence: round((1.0 - confidence) * (len(losses) - 1)) for confidence in CONFIDENCES}
    return ChanceAnswer(
        quantiles={"worth": _quantiles(then)},
        at_risk={confidence: float(losses[k]) for confidence, k in worst.items()},
        shortfall={confidence: float(losses[: k + 1].mean()) for confidence, k in worst.items()},
    )
