"""The leaderboard: every model that was scored, on the same days, and which of them cannot be told apart."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from btc_assets.scoring.summary import MOST, over_horizons
from btc_assets.statistics.bootstrap import block_means
from btc_assets.statistics.comparison import INDEPENDENT, LEVEL, Comparison, compare_losses
from btc_assets.statistics.confidence_set import confidence_set
from btc_assets.statistics.metrics import Floats

_KEY = ["model", "origin_date", "horizon"]

COLUMNS = [*_KEY, "pinball", "pinball_random_walk", "inside_80", "inside_95"]
"""What is read of FORECAST_SCORES."""

PRESENT = 0.9
"""Share of the days that a model must have to be ranked: one with gaps costs the others none of theirs."""

_LOSSES = ["pinball", "pinball_random_walk"]
_INSIDE = ["inside_80", "inside_95"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one model did on the common days.

    Attributes:
        crps_ratio: its CRPS over the random walk's; below 1 is better.
        interval: of that ratio, at 95 %, by a block bootstrap; None with too few outcomes.
        inside_80, inside_95: shares of closes in these ranges.
        independent: outcomes that do not overlap.
        against_best: its losses beside the best model's (Diebold-Mariano); None for the best itself.
        set_p: up to which level it stays in the model confidence set; None with too few outcomes.
    """

    model: str
    crps_ratio: float
    interval: tuple[float, float] | None
    inside_80: float
    inside_95: float
    independent: int
    against_best: Comparison | None
    set_p: float | None

    @property
    def maybe_best(self) -> bool | None:
        """Whether it may be the best, at 95 % confidence; None with too few outcomes to tell."""
        return None if self.set_p is None else self.set_p >= LEVEL


@dataclass(frozen=True, slots=True)
class Unranked:
    """A model that has too few of the common days: ``days`` of ``wanted``, the first of its own ``first``."""

    model: str
    first: dt.date
    days: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Models ranked on the same origins, best first.

    Attributes:
        horizon: days ahead; None: the mean over 1 to ``MOST`` days.
        since, until: first and last origin that counts; None where there is none.
        days: how many origins count, the same for every model.
    """

    horizon: int | None
    since: dt.date | None
    until: dt.date | None
    days: int
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]

    @property
    def independent(self) -> int:
        """How many outcomes do not overlap."""
        return self.days // (self.horizon or MOST)

    @property
    def confidence_set(self) -> tuple[str, ...]:
        """The models that may be the best; empty with too few outcomes to tell."""
        return tuple(s.model for s in self.standings if s.maybe_best)


def leaderboard(scores: pl.DataFrame, horizon: int | None, since: dt.date | None = None) -> Leaderboard:
    """Rank all models in ``scores`` at ``horizon`` days ahead, or in the mean (None), on common origins.

    In the mean each origin's loss is the mean over horizons, each in units of the random walk's mean loss;
    only origins whose ``MOST`` days are all over count.

    Args:
        scores: rows of FORECAST_SCORES with ``COLUMNS``, of one pair and one kind (live, back-filled).
        horizon: days ahead.
        since: the first origin that counts; None: the first that all models have, but for those that are
            too new for a verdict. These are left out of the ranking, as are models with gaps.
    """
    rows = _at_horizon(scores.select(COLUMNS), horizon).sort(_KEY)
    span = horizon or MOST
    ranked, origins, unranked = _common_days(rows.select("model", "origin_date").unique(), span, since)
    chosen = rows.filter(pl.col("model").is_in(ranked) & pl.col("origin_date").is_in(origins.implode()))
    days = origins.sort().to_list()
    first, last = (days[0], days[-1]) if days else (since, None)
    standings = _standings(chosen, ranked, span) if days else ()
    return Leaderboard(horizon, first, last, len(days), standings, unranked)


def _at_horizon(scores: pl.DataFrame, horizon: int | None) -> pl.DataFrame:
    """Choose the rows of one horizon or, in the mean, of the origins that have all up to ``MOST``."""
    if horizon is not None:
        return scores.filter(pl.col("horizon") == horizon)
    near = scores.filter(pl.col("horizon") <= MOST)
    return near.filter(pl.len().over("model", "origin_date") == MOST)


def _common_days(
    known: pl.DataFrame, span: int, since: dt.date | None
) -> tuple[list[str], pl.Series, tuple[Unranked, ...]]:
    """Choose who is ranked on which origins, and say who is not.

    The days are those that at least half of the settled models have; who lacks more than a tenth of them is
    not ranked, and of the others only days that all have count. ``known``: model and origin_date, unique.
    """
    if since is not None:
        known = known.filter(pl.col("origin_date") >= since)
    models = known.group_by("model").agg(first=pl.col("origin_date").min(), days=pl.len()).sort("model")
    enough = models.filter(pl.col("days") >= INDEPENDENT * span)
    settled = enough if enough.height > 1 else models
    start = since or max(settled["first"].to_list(), default=dt.date.max)
    later = known.filter(pl.col("origin_date") >= start)
    of_settled = later.filter(pl.col("model").is_in(settled["model"].implode()))
    shared = of_settled.group_by("origin_date").len().filter(2 * pl.col("len") >= settled.height)
    on_shared = later.join(shared, on="origin_date", how="semi")
    had = dict(on_shared.group_by("model").len().iter_rows())
    ranked = [m for m in settled["model"] if had.get(m, 0) >= max(PRESENT * shared.height, 1)]
    whole = on_shared.filter(pl.col("model").is_in(ranked)).group_by("origin_date").len()
    origins = whole.filter(pl.col("len") == len(ranked))["origin_date"]
    left = [row for row in models.iter_rows(named=True) if row["model"] not in ranked]
    unranked = (Unranked(r["model"], r["first"], had.get(r["model"], 0), shared.height) for r in left)
    return ranked, origins, tuple(unranked)


def _standings(rows: pl.DataFrame, models: list[str], span: int) -> tuple[Standing, ...]:
    """Rank ``models`` by their rows, all of the same origins; ``span`` days overlap."""
    by = ["model", "origin_date"]
    daily = over_horizons(rows, _LOSSES, by).sort(by)
    inside = rows.group_by("model").agg(pl.col(_INSIDE).mean()).sort("model")
    losses, walk = (
        daily[name].to_numpy().reshape(len(models), -1) for name in _LOSSES
    )  # [models, days], in the order of ``models``
    mean = losses.mean(axis=1)
    best = int(mean.argmin())
    intervals, set_p = _resample(losses, walk[0], span)
    found = [
        Standing(
            model=model,
            crps_ratio=float(mean[k] / walk[0].mean()),
            interval=intervals[k],
            inside_80=inside["inside_80"][k],
            inside_95=inside["inside_95"][k],
            independent=losses.shape[1] // span,
            against_best=None if k == best else compare_losses(losses[k], losses[best], span),
            set_p=set_p[k],
        )
        for k, model in enumerate(models)
    ]
    return tuple(sorted(found, key=lambda standing: standing.crps_ratio))


def _resample(
    losses: Floats, walk: Floats, span: int
) -> tuple[list[tuple[float, float] | None], list[float | None]]:
    """Return each model's interval of the ratio, and its p-value in the confidence set; None with too few."""
    models, days = losses.shape
    if days // span < INDEPENDENT:
        return [None] * models, [None] * models
    means = block_means(np.vstack([losses, walk]).T, span)
    low, high = np.quantile(means[:, :-1] / means[:, -1:], [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    set_p = confidence_set(losses.mean(axis=1), means[:, :-1])
    return list(zip(low.tolist(), high.tolist(), strict=True)), set_p.tolist()
