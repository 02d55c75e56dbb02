"""Whether what was said came true as often as it was said, tenth by tenth of the chances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.modeling.history import Floats

TENTHS = 10
RESAMPLES = 1000
SEED = 1


@dataclass(frozen=True, slots=True)
class Tenth:
    """Answers between two tenths of chance.

    Attributes:
        answers: how many.
        independent: how many of their origins lie a horizon or more apart: overlapping answers tell the same.
        said: mean chance, 0 to 1.
        happened: share that came true.
        low, high: where the share lies in 95 % of resamples of the origins.
    """

    answers: int
    independent: int
    said: float
    happened: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether what was said lies in the band of what happened."""
        return self.low <= self.said <= self.high


def tenths(scores: pl.DataFrame, chance: str = "chance") -> Iterator[Tenth]:
    """Sum up answers of one horizon by tenths of chance, empty ones left out.

    The band is a circular block bootstrap of the origins with blocks as long as the horizon, because origins
    next to each other share most of their days (Politis and Romano 1992, in Exploring the Limits of
    Bootstrap, 263-270).

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
    resampled = _resample(np.stack([happened, count]), horizon)
    for tenth in np.flatnonzero(count.sum(axis=0)):
        true, all_ = resampled[:, :, tenth]
        low, high = np.quantile(true[all_ > 0] / all_[all_ > 0], (0.025, 0.975))
        total = count[:, tenth].sum()
        yield Tenth(
            answers=int(total),
            independent=_apart(np.flatnonzero(count[:, tenth]), horizon),
            said=float(said[:, tenth].sum() / total),
            happened=float(happened[:, tenth].sum() / total),
            low=float(low),
            high=float(high),
        )


def _resample(daily: Floats, block: int) -> Floats:
    """Sum ``daily`` [quantities, days, tenths] over drawn blocks of days [quantities, RESAMPLES, tenths]."""
    days = daily.shape[1]
    block = min(block, days)
    wrapped = np.concatenate([daily, daily[:, : block - 1]], axis=1)
    total = np.concatenate([np.zeros_like(wrapped[:, :1]), np.cumsum(wrapped, axis=1)], axis=1)
    blocks = total[:, block:] - total[:, :-block]
    starts = np.random.RandomState(SEED).randint(0, days, size=(RESAMPLES, -(-days // block)))
    return np.asarray(blocks[:, starts].sum(axis=2))


def _apart(days: np.ndarray[tuple[int, ...], np.dtype[np.int64]], least: int) -> int:
    """Return how many of ``days``, in order, lie ``least`` or more after the one counted before."""
    counted, last = 0, -least
    for day in days:
        if day - last >= least:
            counted, last = counted + 1, int(day)
    return counted
