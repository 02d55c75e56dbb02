from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, altered_after, candles

from btc_assets.chances.answers import answer_question
from btc_assets.chances.outcomes import AHEAD, KINDS, MOVES, YEAR, outcomes, past_frequencies
from btc_assets.chances.paths import Paths, paths
from btc_assets.chances.questions import Close, Touch
from btc_assets.chances.scores import score_chances
from btc_assets.contracts import CHANCE_SCORES, QUANTILES, UTC_US
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.modeling.history import history

DAY = dt.timedelta(days=1)
KLINES = candles(1200)
H = history(KLINES)
ORIGIN = FIRST + 1000 * DAY
ISSUED = baseline_forecasts(KLINES, [ORIGIN, ORIGIN + DAY]).filter(model="mixture_walk")
FORECASTS = ISSUED.with_columns(issued_at=pl.lit(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).cast(UTC_US))
SCORES = score_chances(FORECASTS, KLINES)


def test_every_standard_question_is_asked_once_of_every_forecast() -> None:
    assert SCORES.schema == CHANCE_SCORES.schema
    assert SCORES.height == 2 * len(KINDS) * len(AHEAD) * len(MOVES)
    assert SCORES.select(CHANCE_SCORES.key).is_unique().all()
    assert (SCORES["target_date"] - SCORES["origin_date"]).dt.total_days().to_list() == SCORES[
        "horizon"
    ].to_list()


def test_the_answer_is_that_of_the_paths_and_so_is_what_happened() -> None:
    at = H.index(ORIGIN)
    quantiles = FORECASTS.filter(origin_date=ORIGIN).sort("horizon").select(QUANTILES).to_numpy()
    made = paths(H, at, quantiles)
    stretch = [prices[at + 1 : at + 91, None] for prices in (H.close, H.high, H.low)]
    happened = Paths(float(H.close[at]), *stretch)
    for row in SCORES.filter(origin_date=ORIGIN).to_dicts():
        price, up = row["price"], row["move"] > 0
        beyond = Close(row["horizon"], low=price) if up else Close(row["horizon"], high=price)
        asked = Touch(row["horizon"], price) if row["kind"] == "touch" else beyond
        assert row["chance"] == answer_question(made, asked).chance
        assert row["happened"] == bool(answer_question(happened, asked).chance)
        twice = answer_question(made, beyond).chance
        assert row["twice_beyond"] == (min(2 * twice, 1) if row["kind"] == "touch" else None)  # type: ignore[operator]
        assert row["brier"] == pytest.approx((row["chance"] - row["happened"]) ** 2)


def test_answers_do_not_know_what_came() -> None:
    other = score_chances(FORECASTS, altered_after(KLINES, ORIGIN)).filter(origin_date=ORIGIN)
    said = ["chance", "twice_beyond", "past_frequency", "price"]
    assert other.select(said).equals(SCORES.filter(origin_date=ORIGIN).select(said))
    assert other["happened"].to_list() != SCORES.filter(origin_date=ORIGIN)["happened"].to_list()


def test_a_day_at_a_time_gives_the_same_rows_as_all_at_once() -> None:
    parts = [score_chances(FORECASTS, KLINES, day, day) for day in SCORES["target_date"].unique().sort()]
    assert pl.concat(parts).sort(CHANCE_SCORES.key).equals(SCORES.sort(CHANCE_SCORES.key))


def test_only_what_has_matured_is_scored() -> None:
    until = score_chances(FORECASTS, KLINES.filter(pl.col("date") <= ORIGIN + 30 * DAY))
    assert sorted(until["horizon"].unique()) == [1, 7, 30]
    assert until.filter(horizon=30)["origin_date"].unique().to_list() == [ORIGIN]


def test_a_past_frequency_counts_a_year_of_starts_that_had_matured() -> None:
    found = outcomes(H)
    at, place, move = H.index(ORIGIN), AHEAD.index(7), MOVES.index(0.05)
    starts = range(at - 7 - YEAR + 1, at - 7 + 1)
    touched = [H.high[i + 1 : i + 8].max() >= H.close[i] * 1.05 for i in starts]
    assert past_frequencies(found)[1, place, move, at] == pytest.approx(np.mean(touched))


def test_a_missing_candle_leaves_the_answer_unscored() -> None:
    holed = KLINES.filter(pl.col("date") != ORIGIN + 5 * DAY)
    scored = score_chances(FORECASTS.filter(origin_date=ORIGIN), holed)
    assert scored["horizon"].unique().to_list() == [1]


def test_a_forecast_issued_in_time_is_live() -> None:
    live = FORECASTS.with_columns(
        issued_at=pl.col("origin_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        + pl.duration(hours=30)
    )
    assert score_chances(live, KLINES)["live"].all()
    assert not SCORES["live"].any()
