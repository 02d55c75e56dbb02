from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, candles

from btc_assets.contracts import FORECAST_SCORES, LEVELS, QUANTILES, UTC_US
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.scoring.scores import score

DAY = dt.timedelta(days=1)
KLINES = candles(640)
CLOSE = dict(zip(KLINES["date"], KLINES["close"], strict=True))


def issued(origins: list[dt.date], at: dt.datetime) -> pl.DataFrame:
    return baseline_forecasts(KLINES, origins).with_columns(pl.lit(at).cast(UTC_US).alias("issued_at"))


ORIGINS = [FIRST + i * DAY for i in (600, 601)]
ROWS = issued(ORIGINS, dt.datetime(2019, 4, 11, 12, tzinfo=dt.UTC))
SCORED = score(ROWS, KLINES)


def test_rows_whose_target_has_not_closed_are_left_out() -> None:
    assert SCORED.schema == FORECAST_SCORES.schema
    assert SCORED["target_date"].max() == KLINES["date"].max()
    assert SCORED.height == 3 * (39 + 38)
    assert score(ROWS, KLINES.filter(pl.col("date") <= FIRST + 600 * DAY)).equals(FORECAST_SCORES.empty())


def test_every_value_is_its_definition() -> None:
    for row in SCORED.sample(40, seed=1).iter_rows(named=True):
        made = ROWS.filter(
            (pl.col("model") == row["model"])
            & (pl.col("origin_date") == row["origin_date"])
            & (pl.col("horizon") == row["horizon"])
        ).row(0, named=True)
        close, before = CLOSE[row["target_date"]], CLOSE[row["origin_date"]]
        assert row["close"] == close
        assert row["absolute_error"] == pytest.approx(abs(made["q500"] - close))
        assert row["absolute_percentage_error"] == pytest.approx(abs(made["q500"] / close - 1))
        assert row["naive_absolute_error"] == pytest.approx(abs(before - close))
        u = np.log(close) - np.log([made[q] for q in QUANTILES])
        expected = np.mean([max(t * x, (t - 1) * x) for t, x in zip(LEVELS, u, strict=True)])
        assert row["pinball"] == pytest.approx(expected, abs=1e-12)
        assert row["inside_80"] == (made["q100"] <= close <= made["q900"])
        assert row["inside_95"] == (made["q025"] <= close <= made["q975"])
        assert 0 < row["pit"] < 1


def test_the_random_walks_own_loss_is_the_one_it_is_compared_with() -> None:
    walk = SCORED.filter(pl.col("model") == "random_walk")
    assert walk["pinball"].to_numpy() == pytest.approx(walk["pinball_random_walk"].to_numpy(), abs=1e-12)
    other = SCORED.filter(pl.col("model") == "mixture_walk")
    key = ["origin_date", "horizon"]
    assert other.sort(key)["pinball_random_walk"].to_list() == walk.sort(key)["pinball_random_walk"].to_list()


def test_a_forecast_is_live_only_if_it_was_issued_before_its_first_target_closed() -> None:
    # 2019-04-11 12:00 UTC: the candle of the 11th was still running, that of the 10th was closed.
    live = SCORED.group_by("origin_date").agg(pl.col("live").unique()).sort("origin_date")
    assert live.rows() == [(dt.date(2019, 4, 9), [False]), (dt.date(2019, 4, 10), [True])]


def test_a_score_does_not_depend_on_what_else_is_scored() -> None:
    alone = score(ROWS.filter(pl.col("horizon") == 5), KLINES)
    key = ["model", "origin_date"]
    assert alone.sort(key).equals(SCORED.filter(pl.col("horizon") == 5).sort(key))
