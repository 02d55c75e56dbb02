"""Measure what a network adds to its anchor, the computed forecast that it multiplies, over a year.

The anchor is no row of ``forecast_scores``: it is computed again, from candles up to each origin, with the
code of today, and scored on the closes that the network was scored on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.market.calendar import DAY
from btc_assets.modeling.anchor import anchor
from btc_assets.modeling.history import history
from btc_assets.scoring.summary import MOST, over_horizons
from btc_assets.statistics.comparison import Comparison, compare_losses
from btc_assets.statistics.metrics import pinball

YEAR = 365
"""Origins that a judgement rests on."""

COLUMNS = ["model", "origin_date", "horizon", "close", "pinball", "pinball_random_walk"]
"""What is read of FORECAST_SCORES."""


@dataclass(frozen=True, slots=True)
class AnchorGain:
    """A network's losses beside its anchor's over ``days`` origins, the last ``YEAR`` at most.

    ``nearest`` is 1 day ahead, ``mean`` over 1 to ``MOST`` days; negative changes favour the network.
    """

    days: int
    nearest: Comparison
    mean: Comparison

    @property
    def whole_year(self) -> bool:
        """Whether there is a year to judge by."""
        return self.days >= YEAR

    @property
    def adds(self) -> bool:
        """Whether the network is better than its anchor by more than chance, at either."""
        return "better" in (self.nearest.verdict, self.mean.verdict)


def last_year(scores: pl.DataFrame) -> pl.DataFrame:
    """Choose the rows up to ``MOST`` days ahead of each model's last ``YEAR`` scored origins."""
    near = scores.select(COLUMNS).filter(pl.col("horizon") <= MOST)
    place = pl.col("origin_date").rank("dense", descending=True).over("model")
    return near.filter(place <= YEAR).sort("model", "origin_date", "horizon")


def with_anchor(scores: pl.DataFrame, klines: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Add ``pinball_anchor``, the loss of the anchor from the same origin on the same close.

    Args:
        scores: rows with ``COLUMNS``.
        klines: candles from ``anchor.ANCHOR_REACH`` days before the first origin on; of each origin those
            after it are not read.
        features: rows of ENGINEERED_FEATURES of these days.

    Raises:
        ModelError: an origin lacks its candle, or history before it.
    """
    pairs = scores.select("origin_date", "horizon", "close").unique().sort("origin_date", "horizon")
    if pairs.is_empty():
        return scores.with_columns(pinball_anchor=pl.lit(None, dtype=pl.Float64))
    h = history(klines, end=pairs["origin_date"][-1] + DAY, features=features)
    parts = []
    for (origin,), rows in pairs.group_by("origin_date", maintain_order=True):
        assert isinstance(origin, dt.date)
        quantiles = anchor(h, origin)[rows["horizon"].to_numpy() - 1]
        realised = np.log(rows["close"].to_numpy() / h.close[h.index(origin)])
        parts.append(rows.with_columns(pl.Series("pinball_anchor", pinball(quantiles, realised))))
    key = ["origin_date", "horizon"]
    known = pl.concat(parts).select(*key, "pinball_anchor")
    return scores.join(known, on=key, how="left", maintain_order="left")


def anchor_gain(rows: pl.DataFrame) -> AnchorGain:
    """Compare one network's rows, as ``with_anchor`` gives them, with its anchor's losses.

    In the mean only origins count whose ``MOST`` days are all over.
    """
    nearest = rows.filter(pl.col("horizon") == 1).sort("origin_date")
    whole = rows.filter(pl.len().over("origin_date") == MOST)
    means = over_horizons(whole, ["pinball", "pinball_anchor"], ["origin_date"]).sort("origin_date")
    return AnchorGain(
        rows["origin_date"].n_unique(),
        compare_losses(nearest["pinball"].to_numpy(), nearest["pinball_anchor"].to_numpy(), 1),
        compare_losses(means["pinball"].to_numpy(), means["pinball_anchor"].to_numpy(), MOST),
    )
