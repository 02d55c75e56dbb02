"""Whether what was said came true as often as it was said, tenth by tenth of the chances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.modeling.history import Floats

TENTHS = 10

POINTWISE = 1.96
"""Standard errors that 95 in 100 tenths lie within, each for itself."""

JUDGED = 50
"""Answers without which a tenth is not judged together with the others."""

_DRAWS = 10_000

_FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Tenth:
    """Answers between two tenths of chance.

    Attributes:
        answers: how many.
        independent: how many of their origins lie a horizon or more apart: overlapping answers tell the same.
        said: mean chance, 0 to 1.
        happened: share that came true.
        low, high: how far what was said may lie from it by chance, in 95 cases of 100 unless another limit
            was asked for.
    """

    answers: int
    independent: int
    said: float
    happened: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether what was said lies in the band around what happened."""
        return self.low <= self.said <= self.high


def tenths(scores: pl.DataFrame, chance: str = "chance", limit: float = POINTWISE) -> Iterator[Tenth]:
    """Sum up answers of one horizon by tenths of chance, empty ones left out.

    The band allows for what chance does where all that was said is true. Origins next to each other share
    most of their days, so misses are summed over blocks of two horizons before they are squared, over all
    such blocks around the circle: the variance that their block bootstrap estimates, about nought instead of
    about the mean miss (Politis and Romano 1992, in Exploring the Limits of Bootstrap, 263-270).

    Args:
        scores: rows of CHANCE_SCORES of one horizon.
        chance: the column that holds the chances to judge.
        limit: how many standard errors the band reaches to both sides.
    """
    count, said, happened, horizon = _daily(scores, chance)
    reach = limit * np.sqrt(np.diag(_covariance(happened - said, horizon)))
    for tenth in np.flatnonzero(count.sum(axis=0)):
        total = count[:, tenth].sum()
        share = float(happened[:, tenth].sum() / total)
        yield Tenth(
            answers=int(total),
            independent=_apart(np.flatnonzero(count[:, tenth]), horizon),
            said=float(said[:, tenth].sum() / total),
            happened=share,
            low=max(0.0, share - float(reach[tenth] / total)),
            high=min(1.0, share + float(reach[tenth] / total)),
        )


def joint_limit(scores: pl.DataFrame, chance: str = "chance") -> float:
    """Say how many standard errors hold all tenths of ``JUDGED`` answers or more at once, in 95 cases of 100.

    Of many tenths some lie outside a band that is meant for one. The farthest of them follows the largest of
    normal deviates that are correlated as the block sums of their misses are (max-t: Hothorn, Bretz and
    Westfall 2008, Biometrical J. 50, 346-363). Arguments as of ``tenths``.
    """
    count, said, happened, horizon = _daily(scores, chance)
    covariance = _covariance(happened - said, horizon)
    judged = np.flatnonzero((count.sum(axis=0) >= JUDGED) & (np.diag(covariance) > 0))
    if not len(judged):
        return POINTWISE
    error = np.sqrt(np.diag(covariance)[judged])
    correlation = covariance[np.ix_(judged, judged)] / np.outer(error, error)
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_normal(np.zeros(len(judged)), correlation, _DRAWS, method="eigh")
    return float(np.quantile(np.abs(drawn).max(axis=1), 0.95))


def _daily(scores: pl.DataFrame, chance: str) -> tuple[Floats, Floats, Floats, int]:
    """Count answers and sum up what was said and what happened, each [days, tenths]; also the horizon."""
    rows = scores.select("origin_date", "horizon", "happened", said=chance).drop_nulls().sort("origin_date")
    days = (rows["origin_date"] - rows["origin_date"].head(1)).dt.total_days().to_numpy()
    place = np.minimum((rows["said"].to_numpy() * TENTHS).astype(np.int64), TENTHS - 1)
    count, said, happened = (np.zeros((max(days, default=0) + 1, TENTHS)) for _ in range(3))
    np.add.at(count, (days, place), 1.0)
    np.add.at(said, (days, place), rows["said"].to_numpy())
    np.add.at(happened, (days, place), rows["happened"].to_numpy().astype(np.float64))
    return count, said, happened, max(rows["horizon"], default=1)


def _covariance(misses: Floats, horizon: int) -> Floats:
    """Estimate it of the sums of ``misses`` [days, tenths] from blocks of days, if all expect 0.

    Blocks of one horizon would leave out about a third of what overlapping answers share. They are that short
    where there would be fewer than ``_FEWEST_BLOCKS``.
    """
    block = min(2 * horizon, max(horizon, len(misses) // _FEWEST_BLOCKS), len(misses))
    around = np.concatenate([misses, misses[: block - 1]])
    total = np.concatenate([np.zeros_like(around[:1]), np.cumsum(around, axis=0)])
    sums = total[block:] - total[:-block]
    return np.asarray(sums.T @ sums / block)


def _apart(days: np.ndarray[tuple[int, ...], np.dtype[np.int64]], least: int) -> int:
    """Return how many of ``days``, in order, lie ``least`` or more after the one counted before."""
    counted, last = 0, -least
    for day in days:
        if day - last >= least:
            counted, last = counted + 1, int(day)
    return counted
