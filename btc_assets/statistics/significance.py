"""Whether one forecast's losses are smaller than another's by more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from btc_assets.statistics.metrics import Floats


@dataclass(frozen=True, slots=True)
class DieboldMariano:
    """Outcome of the test on loss differences (first minus second).

    Attributes:
        statistic: negative where the first forecast's loss is smaller.
        p_two_sided: probability of a statistic at least this far from 0 if both were equally good.
        p_worse: the same for the first being worse (statistic this large or larger).
    """

    statistic: float
    p_two_sided: float
    p_worse: float


def diebold_mariano(difference: Floats, lag: int) -> DieboldMariano | None:
    """Test whether the mean of ``difference`` is 0; None where its variance cannot be estimated.

    Diebold and Mariano (1995), J. Bus. Econ. Stat. 13, 253-263, as Harvey, Leybourne and Newbold (1997), Int.
    J. Forecasting 13, 281-291, correct it for ``lag`` + 1 steps: autocovariances up to ``lag`` count in full,
    the statistic is scaled down and held against Student's t with n-1 degrees of freedom. Where that variance
    is not positive, the weights of Newey and West (1987), Econometrica 55, 703-708, take its place; they make
    it too small where targets overlap.

    Args:
        difference: loss of the first minus loss of the second forecast, in the order of origins.
        lag: autocovariances that count; h - 1 for forecasts h days ahead on daily origins.
    """
    n = len(difference)
    if n < 10:
        return None
    variance = _variance_of_mean(difference, lag)
    if not variance > 0:
        return None
    h = min(lag + 1, n - 1)
    correction = math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic = float(difference.mean() / math.sqrt(variance)) * correction
    half = student_t_tail(abs(statistic), n - 1)
    return DieboldMariano(statistic, 2 * half, half if statistic > 0 else 1 - half)


def _variance_of_mean(difference: Floats, lag: int) -> float:
    """Estimate the variance of the mean from autocovariances up to ``lag``.

    They count in full, or if that is not above 0 by Bartlett's 1 - k / (lag + 1), which never gives less.
    """
    n = len(difference)
    centred = difference - difference.mean()
    own = float(centred @ centred) / n
    lags = range(1, min(lag, n - 1) + 1)
    shared = [2.0 * float(centred[k:] @ centred[:-k]) / n for k in lags]
    full = own + sum(shared)
    if full > 0:
        return full / n
    return (own + sum((1.0 - k / (lag + 1)) * c for k, c in zip(lags, shared, strict=True))) / n


def student_t_tail(t: float, dof: float) -> float:
    """Compute P(T > t) of Student's t, t >= 0: half the incomplete beta function at dof/(dof+t^2)."""
    return 0.5 * _incomplete_beta(dof / 2.0, 0.5, dof / (dof + t * t))


def student_t_quantile(tail: float, dof: float) -> float:
    """Find the t, at least 0, that Student's t exceeds with probability ``tail`` (at most 0.5)."""
    low, high = 0.0, 1.0
    while student_t_tail(high, dof) > tail:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if student_t_tail(middle, dof) > tail else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised I_x(a, b) by its continued fraction (Press et al., Numerical Recipes, section 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(1.0 - (a + b) * x / (a + 1.0), tiny)
    fraction = d
    for m in range(1, 400):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + step * d
            c = 1.0 + step / c
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            fraction *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return math.exp(log_front) / a * fraction
