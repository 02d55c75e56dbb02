"""The standard questions: asked of every forecast, scored once their day has closed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.chances.answers import answer_question
from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES, outcomes, past_frequencies
from btc_assets.chances.paths import COUNT, Paths, shuffled
from btc_assets.chances.questions import Close, Touch
from btc_assets.chances.templates import templates
from btc_assets.contracts import CHANCE_SCORES, QUANTILES
from btc_assets.market.calendar import DAY
from btc_assets.market.issue_timing import LIVE_HOURS, is_live
from btc_assets.modeling.history import Floats, History, history

LEAST = 0.5 / COUNT
"""Chances are kept this far from 0 and 1 in the log score: half a path."""


def score_chances(
    forecasts: pl.DataFrame, klines: pl.DataFrame, first: dt.date = dt.date.min, last: dt.date = dt.date.max
) -> pl.DataFrame:
    """Ask the standard questions of every forecast and score those whose day, in [first, last], has a candle.

    The chance is that of the paths. ``twice_beyond`` is twice their chance of closing beyond the price, the
    simple answer to whether it is touched; ``past_frequency`` is how often it happened after the days of a
    year. Each row follows from its forecast and the candles alone, whatever else is scored.

    Args:
        forecasts: whole forecasts, rows of FORECASTS (all horizons of an origin).
        klines: candles from ``templates.REACH`` days before the first origin on.
        first: no questions of days before (UTC).
        last: no questions of days after.

    Returns:
        Rows of CHANCE_SCORES.

    Raises:
        NotEnoughHistory: no candle of an origin, or too few before it.
    """
    parts = []
    for (symbol,), issued in forecasts.group_by("symbol", maintain_order=True):
        h = history(klines.filter(pl.col("symbol") == symbol))
        found = outcomes(h)
        frequencies = past_frequencies(found)
        for (origin,), rows in issued.group_by("origin_date", maintain_order=True):
            assert isinstance(origin, dt.date)
            days = [d for d in AHEAD if first <= origin + d * DAY <= last and origin + d * DAY <= h.last]
            if days:
                at = h.index(origin)
                parts += _of_origin(h, found[..., at], frequencies[..., at], at, days, rows)
    scored = pl.concat(parts) if parts else CHANCE_SCORES.empty()
    return scored.filter(pl.col("happened").is_not_null()).select(CHANCE_SCORES.schema.names())


def standard_chances(paths: Paths, days: list[int]) -> Floats:
    """Answer the standard questions about ``days`` ahead [KINDS, days, MOVES]."""
    known, count = paths.stretches(days), len(days)
    prices = [(paths.start * (1.0 + move), move > 0) for move in MOVES]
    beyond = [Close(count, low=price) if up else Close(count, high=price) for price, up in prices]
    touch = [Touch(count, price) for price, _ in prices]
    asked = [[answer_question(known, question).by_day for question in kind] for kind in (beyond, touch)]
    return np.asarray(asked).transpose(0, 2, 1)


def _of_origin(
    h: History, found: Floats, frequency: Floats, at: int, days: list[int], issued: pl.DataFrame
) -> list[pl.DataFrame]:
    """Score the forecasts ``issued`` from position ``at``, model by model."""
    places = [AHEAD.index(d) for d in days]
    happened, frequency = found[:, places], frequency[:, places]
    shapes = templates(h, at, COUNT, max(days))
    parts = []
    for _, rows in issued.group_by("model", maintain_order=True):
        quantiles = rows.sort("horizon").select(QUANTILES).to_numpy()[: max(days)]
        chance = standard_chances(shuffled(float(h.close[at]), shapes, quantiles), days)
        parts.append(_rows(rows, float(h.close[at]), days, chance, happened, frequency))
    return parts


def scored(
    touch: NDArray[np.bool_], said: Floats, beyond: Floats, happened: Floats, frequency: Floats
) -> dict[str, pl.Series]:
    """Score answers: the columns of CHANCE_SCORES that follow from what was said and what happened.

    Args:
        touch: which questions are about touching a price; the others are about a close beyond it.
        beyond: the chance of a close beyond the same price on the same day.
        happened: 1, 0, or NaN where it is not known.
        frequency: past frequencies, NaN where there are none.
    """
    of_event = np.clip(np.where(happened == 1.0, said, 1.0 - said), LEAST, 1.0)
    return {
        "chance": pl.Series(said),
        "twice_beyond": pl.Series(np.where(touch, np.minimum(2.0 * beyond, 1.0), np.nan)).fill_nan(None),
        "past_frequency": pl.Series(frequency).fill_nan(None),
        "happened": pl.Series(happened).fill_nan(None).cast(pl.Boolean),
        "brier": pl.Series((said - happened) ** 2),
        "log_score": pl.Series(-np.log(of_event)),
    }


def _rows(
    issued: pl.DataFrame, start: float, days: list[int], chance: Floats, happened: Floats, frequency: Floats
) -> pl.DataFrame:
    """Return one forecast's scores; arrays are [KINDS, days, MOVES]."""
    kind, ahead, move = (grid.ravel() for grid in np.meshgrid(KINDS, days, MOVES, indexing="ij"))
    beyond = np.broadcast_to(chance[0], chance.shape).ravel()
    first = issued.row(0, named=True)
    columns = {
        "kind": pl.Series(kind, dtype=pl.String),
        "horizon": pl.Series(ahead.astype(np.int16)),
        "move": pl.Series(move),
        "price": pl.Series(start * (1.0 + move)),
        **scored(kind == "touch", chance.ravel(), beyond, happened.ravel(), frequency.ravel()),
    }
    day: dt.date = first["origin_date"]
    return pl.DataFrame(columns).with_columns(
        symbol=pl.lit(first["symbol"]),
        model=pl.lit(first["model"]),
        origin_date=pl.lit(day),
        target_date=pl.lit(day) + pl.duration(days=pl.col("horizon")),
        live=pl.lit(is_live(day, first["issued_at"], first.get("live_hours", LIVE_HOURS))),
    )
