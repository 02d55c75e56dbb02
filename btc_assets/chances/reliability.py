"""Whether what was said came true as often as it was said, tenth by tenth of the chances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.modeling.history import Floats

TENTHS = 10

_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Tenth:
    """Answers between two tenths of chance.

    Attributes:
        answers: how many.
        independent: how many of their origins lie a horizon or more apart: overlapping answers tell the same.
        said: mean chance, 0 to 1.
        happened: share that came true.
        low, high: how far what was said may lie from it by chance, in 95 cases of 100.
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


def tenths(scores: pl.DataFrame, chance: str = "chance") -> Iterator[Tenth]:
    """Sum up answers of one horizon by tenths of chance, empty ones left out.

    The band allows for what chance does where all that was said is true. Origins next to each other share
    most of their days, so misses are summed over blocks as long as the horizon before they are squared, over
    all such blocks around the circle: the variance that their block bootstrap estimates, about nought instead
    of about the mean miss (Politis and Romano 1992, in Exploring the Limits of Bootstrap, 263-270).

    Args:
        scores: rows of CHANCE_SCORES of one horizon.
        chance: the column that holds the chances to judge.
    """
    rows = scores.select("origin_date", "horizon", "happened", said=chance).drop_nulls().sort("origin_date")
    if rows.is_empty():
        return
    horizon = int(rows["horizon"][0])
    days = (rows["origin_date"] - rows["origin_date"][0]).dt.total_days().to_numpy()
    place = np.minimum((rows["said"].to_numpy() * TENTHS).astype(np.int64), TENTHS - 1)
    shape = (int(days[-1]) + 1, TENTHS)
    said, happened, count = (np.zeros(shape) for _ in range(3))
    np.add.at(count, (days, place), 1.0)
    np.add.at(said, (days, place), rows["said"].to_numpy())
    np.add.at(happened, (days, place), rows["happened"].to_numpy().astype(np.float64))
    reach = _NORMAL_95 * np.sqrt(_variance(happened - said, horizon))
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


def _variance(misses: Floats, block: int) -> Floats:
    """Estimate the variance of the sum of ``misses`` [days, tenths] from blocks of days, if all expect 0."""
    block = min(block, len(misses))
    around = np.concatenate([misses, misses[: block - 1]])
    total = np.concatenate([np.zeros_like(around[:1]), np.cumsum(around, axis=0)])
    return np.asarray(((total[block:] - total[:-block]) ** 2).sum(axis=0) / block)


def _apart(days: np.ndarray[tuple[int, ...], np.dtype[np.int64]], least: int) -> int:
    """Return how many of ``days``, in order, lie ``least`` or more after the one counted before."""
    counted, last = 0, -least
    for day in days:
        if day - last >= least:
            counted, last = counted + 1, int(day)
    return counted
