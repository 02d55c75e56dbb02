from __future__ import annotations

import datetime as dt
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from btc_assets.chances.reliability import POINTWISE, joint_limit, tenths

DAY = dt.timedelta(days=1)
FIRST = dt.date(2024, 1, 1)


def scores(said: list[float], happened: list[bool], horizon: int = 1) -> pl.DataFrame:
    """Scores of one question a day."""
    days = [FIRST + at * DAY for at in range(len(said))]
    columns = {"origin_date": days, "chance": said, "happened": happened}
    schema = {"origin_date": pl.Date, "chance": pl.Float64, "happened": pl.Boolean}
    return pl.DataFrame(columns, schema=schema).with_columns(horizon=horizon)


def test_answers_are_summed_up_by_tenths_and_empty_tenths_left_out() -> None:
    found = list(tenths(scores([0.12, 0.18, 0.95, 1.0], [False, True, True, True])))
    assert [(t.answers, t.said, t.happened) for t in found] == [
        (2, pytest.approx(0.15), 0.5),
        (2, pytest.approx(0.975), 1.0),
    ]


def test_what_is_said_truly_lies_in_the_band_and_what_is_not_does_not() -> None:
    happened = (np.random.default_rng(3).random(1000) < 0.25).tolist()
    assert next(tenths(scores([0.25] * 1000, happened))).holds
    assert not next(tenths(scores([0.35] * 1000, happened))).holds


def test_overlapping_answers_count_as_few_and_widen_the_band() -> None:
    happened = np.repeat(np.random.default_rng(3).random(20) < 0.5, 30).tolist()
    daily = next(tenths(scores([0.5] * 600, happened, horizon=1)))
    monthly = next(tenths(scores([0.5] * 600, happened, horizon=30)))
    assert (daily.independent, monthly.independent) == (600, 20)
    assert monthly.high - monthly.low > 2 * (daily.high - daily.low)


def test_nothing_scored_has_no_tenths() -> None:
    assert list(tenths(scores([], []))) == []


def test_true_chances_of_overlapping_days_lie_outside_the_band_about_as_rarely_as_it_says() -> None:
    """Whether a walk that is a toss-up ends higher a month on, asked every day of two years."""
    draws = np.random.default_rng(3).standard_normal((200, 730 + 30))
    walks = np.cumsum(draws, axis=1)
    outside = sum(
        not next(tenths(scores([0.5] * 730, (walk[30:] > walk[:-30]).tolist(), horizon=30))).holds
        for walk in walks
    )
    assert 0.02 * 200 <= outside <= 0.09 * 200


def several_tenths(days: int, horizon: int, seed: int) -> pl.DataFrame:
    """True chances of five tenths, each of which is asked about every day the end of the same walk."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal(days + horizon))
    ends = (walk[horizon:] - walk[:-horizon]) / np.sqrt(horizon)
    said = [0.15, 0.35, 0.55, 0.75, 0.95]
    return pl.concat(
        scores([chance] * days, (ends < NormalDist().inv_cdf(chance)).tolist(), horizon) for chance in said
    )


def test_of_several_true_tenths_any_lies_outside_the_joint_band_as_rarely_as_it_says() -> None:
    alone, jointly = 0, 0
    for seed in range(200):
        rows = several_tenths(400, 1, seed)
        limit = joint_limit(rows)
        assert limit > POINTWISE
        alone += any(not tenth.holds for tenth in tenths(rows))
        jointly += any(not tenth.holds for tenth in tenths(rows, limit=limit))
    assert alone > 0.10 * 200
    assert 0.01 * 200 <= jointly <= 0.09 * 200


def test_a_tenth_that_is_wrong_lies_outside_the_joint_band() -> None:
    rows = several_tenths(730, 1, seed=3)
    wrong = rows.with_columns(chance=pl.col("chance").replace(0.35, 0.25))
    assert sum(not tenth.holds for tenth in tenths(wrong, limit=joint_limit(wrong))) == 1


def test_a_lone_tenth_has_the_band_of_a_lone_one() -> None:
    happened = (np.random.default_rng(3).random(2000) < 0.25).tolist()
    assert joint_limit(scores([0.25] * 2000, happened)) == pytest.approx(POINTWISE, abs=0.05)
    assert joint_limit(scores([], [])) == POINTWISE
