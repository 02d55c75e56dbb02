"""Answer questions about the price from the paths of a forecast, and say how such answers did."""

from __future__ import annotations

import datetime as dt
import math
import threading
from dataclasses import dataclass

import polars as pl
from cachetools import LRUCache

from btc_assets.chances.answers import ChanceAnswer, answer_question
from btc_assets.chances.outcomes import AHEAD
from btc_assets.chances.paths import COUNT, Paths, forecast_paths
from btc_assets.chances.questions import Close, Question, Stay, question
from btc_assets.chances.reliability import Tenth, tenths
from btc_assets.contracts import CHANCE_SCORES, RAW_KLINES
from btc_assets.scoring.issue_kinds import with_kind
from btc_dash.data import market
from btc_dash.data.cache import TableCache
from btc_dash.data.market import Forecast
from btc_dash.data.score_rows import in_time, of_kind
from btc_dash.server.rate_limit import RateLimiter

KEPT = 3
"""Forecasts whose paths are kept, one for each network and the ensemble: four megabytes each."""

_SCORED = ["model", "kind", "horizon", "origin_date", "live", "chance", "past_frequency", "twice_beyond",
           "happened"]  # fmt: skip


class PathMaker:
    """Makes the paths of forecasts, one at a time, and keeps the last few."""

    def __init__(self, cache: TableCache, limiter: RateLimiter) -> None:
        self._cache = cache
        self._limiter = limiter
        self._kept: LRUCache[tuple[object, ...], Paths] = LRUCache(KEPT)
        self._lock = threading.Lock()

    def paths(self, forecast: Forecast, client: str, count: int = COUNT) -> Paths:
        """Return ``count`` paths of a whole forecast, made at ``client``'s cost where they are not kept.

        Raises:
            NotEnoughHistory: too few candles before the origin.
            TooManyRequests: ``client`` has asked for too much computing.
            StorageError: the store fails.
        """
        key = (forecast.quantiles.tobytes(), forecast.origin, count, self._cache.version(RAW_KLINES))
        with self._lock:
            if key not in self._kept:
                self._limiter.take(client)
                candles = market.candles(self._cache)
                self._kept[key] = forecast_paths(candles, forecast.origin, forecast.quantiles, count)
            return self._kept[key]


@dataclass(frozen=True)
class Chance:
    """An answered question.

    Attributes:
        record: how standard answers of about this chance did, None where none matured.
        kind: what those were about, ``beyond`` or ``touch``: the nearest to what was asked.
    """

    question: Question
    answer: ChanceAnswer
    origin: dt.date
    start: float
    record: Tenth | None
    kind: str


def ask(
    cache: TableCache, maker: PathMaker, forecast: Forecast, values: dict[str, str], client: str
) -> Chance:
    """Answer the question in ``values`` (see ``btc_assets.chances.questions``) from a whole forecast.

    Raises:
        ImpossibleQuestion: it has no answer.
        NotEnoughHistory, TooManyRequests, StorageError: as ``PathMaker.paths``.
    """
    paths = maker.paths(forecast, client)
    asked = question(values, forecast.origin, paths.start)
    found = answer_question(paths, asked)
    kind = "beyond" if isinstance(asked, Close) else "touch"
    record = None
    if found.chance is not None:
        touched = 1.0 - found.chance if isinstance(asked, Stay) else found.chance
        record = such_answers(cache, forecast.model, kind, asked.days, touched)
    return Chance(asked, found, forecast.origin, paths.start, record, kind)


def such_answers(cache: TableCache, model: str, kind: str, days: int, chance: float) -> Tenth | None:
    """Return how past answers of a kind in the same tenth of chance did, about as many days ahead."""
    found = past_answers(cache, model, kind, days).tenths
    return next((t for t in found if int(10 * t.said) == min(int(10 * chance), 9)), None)


@dataclass(frozen=True)
class PastAnswers:
    """How past answers of one kind did, ``horizon`` days ahead; scores are None where nothing has matured.

    Attributes:
        tenths: by tenths of chance.
        said, happened: the mean chance and the share that came true, 0 to 1.
        brier: Brier scores of what was said, of past frequencies, of twice the chance beyond (touches alone).
    """

    horizon: int
    tenths: list[Tenth]
    said: float | None
    happened: float | None
    brier: tuple[float | None, float | None, float | None]


def standard_horizon(days: int) -> int:
    """Return the horizon of the standard questions that is nearest to ``days``, as a ratio."""
    return min(AHEAD, key=lambda ahead: abs(math.log(ahead / days)))


def past_answers(cache: TableCache, model: str, kind: str, days: int, issued: str = "all") -> PastAnswers:
    """Sum up the answers of the standard horizon nearest to ``days``, of a kind (``issued``) of forecasts."""
    horizon = standard_horizon(days)

    def load() -> PastAnswers:
        rows = cache.keep(CHANCE_SCORES, "scores", lambda: _scores(cache))
        rows = rows.filter(model=model, kind=kind, horizon=horizon)
        if issued != "all":
            marked = with_kind(rows.drop("kind"), in_time(cache).cast({"model": pl.Categorical}))
            rows = of_kind(marked, issued)
        happened = rows["happened"].cast(pl.Float64)
        columns = ("chance", "past_frequency", "twice_beyond")
        said, past, twice = (_mean((rows[name] - happened) ** 2) for name in columns)
        known = list(tenths(rows))
        return PastAnswers(horizon, known, _mean(rows["chance"]), _mean(happened), (said, past, twice))

    return cache.keep(CHANCE_SCORES, ("answers", model, kind, horizon, issued), load)


def _scores(cache: TableCache) -> pl.DataFrame:
    """Read what is summed up of the scores, a third of the memory of the table."""
    return cache.read(CHANCE_SCORES, _SCORED).with_columns(pl.col("model", "kind").cast(pl.Categorical))


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None
