from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from btc_assets.contracts import HORIZONS
from btc_assets.errors import BadModel
from btc_assets.modeling.anchor import Anchors
from btc_assets.modeling.history import history
from btc_assets.modeling.inference import FeatureRows, Predictor
from btc_assets.modeling.promotion import WINDOW, EvaluationWindow, evaluate_vintage, evaluation_window


class Stretched:
    """Stands for a vintage that multiplies every quantile by one factor."""

    kind = "mlp"

    def __init__(self, factor: float, cutoff: dt.date) -> None:
        self.factor, self.cutoff = factor, cutoff

    def log_factors(self, _features: FeatureRows, day: dt.date) -> np.ndarray:
        if np.isnan(self.factor):
            raise BadModel(f"mlp {self.cutoff}: gives no finite [1, 90] from {day}")
        return np.full(HORIZONS, np.log(self.factor))


@pytest.fixture(scope="module")
def window(klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date) -> EvaluationWindow:
    return evaluation_window(Anchors(history(klines, features=features)), features, cutoff)


def test_the_window_is_the_newest_origins_whose_targets_have_closed(
    window: EvaluationWindow, cutoff: dt.date
) -> None:
    assert len(window.days) == WINDOW
    assert window.days[-1] == cutoff - dt.timedelta(days=7)


def test_the_same_vintage_twice_is_sound(window: EvaluationWindow, fitted: dict[str, Path]) -> None:
    predictor = Predictor.open(fitted["mlp"])
    evaluation = evaluate_vintage(predictor, predictor, window)
    assert evaluation.sound
    assert f"the vintage of {predictor.cutoff}" in evaluation.reason


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_M2_a_vintage_clearly_worse_than_the_random_walk_is_not_sound(
    window: EvaluationWindow, cutoff: dt.date, factor: float
) -> None:
    evaluation = evaluate_vintage(Stretched(factor, cutoff), None, window)
    assert not evaluation.sound
    assert "clearly worse on 120 matured origins" in evaluation.reason
    assert "than the random walk" in evaluation.reason


def test_M2_a_vintage_clearly_worse_than_its_predecessor_is_not_sound(
    window: EvaluationWindow, cutoff: dt.date
) -> None:
    losses = {f: window.losses(Stretched(f, cutoff)).mean() for f in (0.8, 0.9, 1.0, 1.1, 1.25)}
    best = min(losses, key=lambda f: losses[f])
    good, bad = Stretched(best, cutoff), Stretched(best * 2.2, cutoff)
    evaluation = evaluate_vintage(bad, good, window)
    assert not evaluation.sound
    assert evaluate_vintage(good, bad, window).sound


def test_M1_a_vintage_that_is_not_finite_is_not_sound(window: EvaluationWindow, cutoff: dt.date) -> None:
    evaluation = evaluate_vintage(Stretched(float("nan"), cutoff), None, window)
    assert not evaluation.sound
    assert "no finite" in evaluation.reason


def test_a_predecessor_that_cannot_be_used_is_left_out(window: EvaluationWindow, cutoff: dt.date) -> None:
    evaluation = evaluate_vintage(Stretched(1.0, cutoff), Stretched(float("nan"), cutoff), window)
    assert evaluation.sound
    assert "no earlier vintage" in evaluation.reason
