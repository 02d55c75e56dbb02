"""Sum up how forecasts did, by model and horizon, from the table of scores.

Sums are taken a year of targets at a time, so that memory does not grow with the history.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from btc_assets.contracts import FORECAST_SCORES, FORECASTS
from btc_assets.market.calendar import DAY
from btc_assets.scoring.drift import Drift, coverage_path, measure_drift
from btc_assets.statistics.comparison import Comparison, compare_losses
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.query import KINDS, RecordQuestion
from btc_dash.data.score_rows import chunks, of_kind

COVERAGES = (50, 80, 95)
BINS = 10

_HORIZONS_KEPT = 4
_SHOWN = 365 * DAY
_GROUP = ["model", "horizon", "kind"]
_SUMS = {
    "n": pl.len(),
    "ape": pl.col("absolute_percentage_error").sum(),
    "naive_ape": (pl.col("naive_absolute_error") / pl.col("close")).sum(),
    "pinball": pl.col("pinball").sum(),
    "pinball_walk": pl.col("pinball_random_walk").sum(),
    **{f"in{c}": pl.col(f"inside_{c}").sum() for c in COVERAGES},
    **{f"pit{b}": ((pl.col("pit") * BINS).floor().clip(0, BINS - 1) == b).sum() for b in range(BINS)},
}
_COLUMNS = [
    "model", "origin_date", "horizon", "target_date", "close",
    "absolute_percentage_error", "naive_absolute_error", "pinball", "pinball_random_walk",
    "inside_50", "inside_80", "inside_95", "pit",
]  # fmt: skip


def totals(cache: TableCache, kind: str) -> pl.DataFrame:
    """Return a row a model and horizon: n; means ape, naive_ape, crps_ratio, in50..in95, pit0..pit9."""
    return cache.keep(FORECAST_SCORES, ("means", kind), lambda: _means(of_kind(_sums(cache), kind)))


def totals_by_question(cache: TableCache, kind: str) -> dict[tuple[str, int], dict[str, float]]:
    """Return the rows of ``totals`` by model and horizon, ready to look up."""

    def index() -> dict[tuple[str, int], dict[str, float]]:
        return {(row["model"], row["horizon"]): row for row in totals(cache, kind).iter_rows(named=True)}

    return cache.keep(FORECAST_SCORES, ("by question", kind), index)


def _means(chosen: pl.DataFrame) -> pl.DataFrame:
    added = chosen.group_by("model", "horizon").agg(pl.exclude(_GROUP).sum())
    shares = ["ape", "naive_ape", *(f"in{c}" for c in COVERAGES), *(f"pit{b}" for b in range(BINS))]
    return added.with_columns(
        crps_ratio=pl.col("pinball") / pl.col("pinball_walk"), **{c: pl.col(c) / pl.col("n") for c in shares}
    ).sort("model", "horizon")


def counts(cache: TableCache) -> dict[str, int]:
    """Return how many scored forecasts there are of each kind, over all models' horizons."""
    return {kind: int(of_kind(_sums(cache), kind)["n"].sum()) for kind in KINDS}


def origins(cache: TableCache) -> tuple[dt.date, dt.date, int] | None:
    """Return the first and last origin that was scored, and how many were live; None without scores."""

    def load() -> tuple[dt.date, dt.date, int] | None:
        rows = at_horizon(cache, 1)
        if rows.is_empty():
            return None
        days = rows["origin_date"].unique().sort().to_list()
        return days[0], days[-1], of_kind(rows, "live")["origin_date"].n_unique()

    return cache.keep(FORECAST_SCORES, "origins", load)


def at_horizon(cache: TableCache, horizon: int) -> pl.DataFrame:
    """Return every score at one horizon, by model and origin; of the last few horizons asked for, kept."""

    def read(horizon: int) -> pl.DataFrame:
        parts = [chunk.filter(pl.col("horizon") == horizon) for chunk in chunks(cache, _COLUMNS)]
        return pl.concat(parts).sort("model", "origin_date")

    recent = cache.keep(FORECAST_SCORES, "horizons", lambda: lru_cache(_HORIZONS_KEPT)(read))
    return recent(horizon)


def compare_with_rivals(cache: TableCache, model: str, horizon: int, kind: str) -> dict[str, Comparison]:
    """Compare ``model`` with rivals: ``middle`` (its error, no change's) and by baseline name (CRPS)."""
    key = ("against", model, horizon, kind)
    return cache.keep(FORECAST_SCORES, key, lambda: _comparisons(cache, model, horizon, kind))


def _comparisons(cache: TableCache, model: str, horizon: int, kind: str) -> dict[str, Comparison]:
    rows = of_kind(at_horizon(cache, horizon), kind)
    mine = rows.filter(pl.col("model") == model)
    if mine.is_empty():
        return {}
    missed, no_change = mine["absolute_percentage_error"], mine["naive_absolute_error"] / mine["close"]
    found = {"middle": compare_losses(missed.to_numpy(), no_change.to_numpy(), horizon)}
    for rival in ("random_walk", "mixture_walk"):
        theirs = rows.filter(pl.col("model") == rival).select("origin_date", theirs="pinball")
        pairs = mine.join(theirs, on="origin_date").sort("origin_date")
        if not pairs.is_empty():
            losses, reference = pairs["pinball"].to_numpy(), pairs["theirs"].to_numpy()
            found[rival] = compare_losses(losses, reference, horizon)
    return found


def drift(cache: TableCache, model: str, horizon: int) -> Drift:
    """Judge by the one drift rule how the ranges of the newest forecasts held, live and back-filled."""

    def load() -> Drift:
        return measure_drift(at_horizon(cache, horizon).filter(model=model), horizon)

    return cache.keep(FORECAST_SCORES, ("drift", model, horizon), load)


def coverage_over_time(cache: TableCache, model: str, horizon: int) -> pl.DataFrame:
    """Return the path of the 80 % range: ``scoring.drift.coverage_path``."""
    return coverage_path(at_horizon(cache, horizon).filter(model=model), 80, horizon)


def hindsight(cache: TableCache, model: str, horizon: int) -> pl.DataFrame:
    """Return the last year of targets: target_date, q100, q500, q900 as forecast ``horizon`` days before."""

    def load() -> pl.DataFrame:
        newest = market.newest_origin(cache)
        if newest is None:
            return FORECASTS.empty().select(*columns)
        first = newest - _SHOWN - horizon * DAY
        frame = cache.read(FORECASTS, columns, first, newest + DAY)
        return frame.filter(pl.col("horizon") == horizon).sort("target_date")

    columns = ["model", "origin_date", "horizon", "target_date", "q100", "q500", "q900"]
    rows = cache.keep(FORECASTS, ("hindsight", horizon), load)
    return rows.filter(pl.col("model") == model)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The newest close beside the 80 % range (USDT) that was forecast for it one day before."""

    day: dt.date
    low: float
    high: float
    close: float
    backfilled: bool
    issued_at: dt.datetime

    @property
    def inside(self) -> bool:
        """Whether the close lies in the range."""
        return self.low <= self.close <= self.high


def latest_outcome(cache: TableCache, model: str) -> Outcome | None:
    """Look up what was said of the newest close a day before; None where nothing was issued."""
    candles = market.history(cache)
    if candles.newest is None:
        return None
    said = market.issued(cache, model, candles.newest - DAY)
    if said is None:
        return None
    low, high = said.level(0.1)[0], said.level(0.9)[0]
    return Outcome(candles.newest, low, high, candles.closes[-1], said.backfilled, said.issued_at)


def _sums(cache: TableCache) -> pl.DataFrame:
    """Return one row a model, horizon and kind: n and the sums of everything."""
    return cache.keep(FORECAST_SCORES, "sums", lambda: _sum_up(cache))


def _sum_up(cache: TableCache) -> pl.DataFrame:
    parts = [chunk.group_by(_GROUP).agg(**_SUMS) for chunk in chunks(cache, _COLUMNS)]
    return pl.concat(parts).group_by(_GROUP).agg(pl.exclude(_GROUP).sum())


def since(cache: TableCache, question: RecordQuestion) -> tuple[dt.date, dt.date] | None:
    """First and last origin of the scored forecasts that the question is about."""
    rows = of_kind(at_horizon(cache, question.days), question.kind)
    days = rows.filter(pl.col("model") == question.model)["origin_date"]
    return (days[0], days[-1]) if len(days) else None
