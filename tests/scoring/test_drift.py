from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
import scipy.stats

from btc_assets.scoring.drift import FEWEST, LEVEL, chance_limits, measure_drift


def scores(days: int, inside_80: float = 0.8, loss: float = 1.0, model: str = "mlp") -> pl.DataFrame:
    """One-day-ahead score rows with the given share inside and the given loss against the random walk's 1."""
    rng = np.random.default_rng(0)
    start = dt.date(2024, 1, 1)
    hits = np.arange(days) < round(days * inside_80)
    return pl.DataFrame(
        {
            "model": [model] * days,
            "horizon": pl.Series([1] * days, dtype=pl.Int16),
            "target_date": [start + dt.timedelta(days=i) for i in range(days)],
            "inside_50": np.arange(days) < days // 2,
            "inside_80": hits,
            "inside_95": np.arange(days) < round(days * 0.95),
            "pinball": loss + 0.3 * rng.normal(size=days),
            "pinball_random_walk": np.ones(days),
        }
    )


def test_a_sound_model_is_within_chance() -> None:
    assert measure_drift(scores(90), 1).verdict == "within chance"


def test_intervals_that_hold_far_too_rarely_or_too_often_are_named() -> None:
    for share in (0.6, 1.0):
        drift = measure_drift(scores(90, inside_80=share), 1)
        assert drift.verdict == "drifted"
        (reason,) = drift.reasons
        assert f"{round(90 * share)} of the last 90 closes inside the 80 % range" in reason


def test_a_loss_clearly_above_the_random_walks_is_named() -> None:
    drift = measure_drift(scores(90, loss=1.2), 1)
    assert drift.verdict == "drifted"
    assert "times the random walk's over 90 days (p < 0.001)" in drift.reasons[0]
    assert measure_drift(scores(90, loss=0.8), 1).verdict == "within chance"


def test_too_few_scores_say_nothing() -> None:
    assert measure_drift(scores(FEWEST - 1, inside_80=0.0), 1).verdict == "too few to tell"


def test_long_horizons_need_ten_forecasts_end_to_end() -> None:
    assert measure_drift(scores(139, inside_80=0.0), 14).verdict == "too few to tell"
    assert measure_drift(scores(140, inside_80=0.0), 14).verdict == "drifted"


@pytest.mark.parametrize("percent", [50, 80, 95])
@pytest.mark.parametrize("trials", [10, 45, 90])
def test_chance_limits_are_what_scipys_test_accepts(trials: int, percent: int) -> None:
    p = percent / 100
    accepted = [k for k in range(trials + 1) if scipy.stats.binomtest(k, trials, p).pvalue >= LEVEL]
    assert chance_limits(trials, p) == (accepted[0] / trials, accepted[-1] / trials)
