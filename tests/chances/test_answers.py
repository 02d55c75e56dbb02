from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_candles import FIRST, candles

from btc_assets.chances.answers import answer_question, falls_to
from btc_assets.chances.paths import COUNT, Paths, paths
from btc_assets.chances.questions import Close, Fall, Range, Stay, Touch, Worth
from btc_assets.contracts import LEVELS
from btc_assets.modeling.baselines import mixture_walk
from btc_assets.modeling.history import history

H = history(candles(1200))
ORIGIN = FIRST + dt.timedelta(days=1100)
AT = H.index(ORIGIN)
QUANTILES = H.close[AT] * np.exp(mixture_walk(H, [AT])[0])
MADE = paths(H, AT, QUANTILES)
START = MADE.start

THREE = Paths(
    100.0,
    close=np.array([[101.0, 99.0, 100.0], [105.0, 90.0, 100.0], [103.0, 95.0, 100.0]]),
    high=np.array([[102.0, 100.0, 104.0], [106.0, 99.0, 100.0], [110.0, 96.0, 100.0]]),
    low=np.array([[99.0, 98.0, 100.0], [100.0, 88.0, 100.0], [99.0, 90.0, 78.0]]),
)
"""Three paths of three days, to count on one's fingers."""

move = st.floats(0.5, 2.0).filter(lambda factor: abs(factor - 1.0) > 1e-6)
days = st.integers(1, 90)


def test_a_close_counts_strictly_beyond_the_price_on_each_day() -> None:
    assert answer_question(THREE, Close(3, low=100.0)).by_day == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert answer_question(THREE, Close(2, low=95.0, high=105.0)).by_day == pytest.approx([1, 1 / 3])


def test_a_touch_counts_the_high_or_the_low_of_any_day_until_then() -> None:
    assert answer_question(THREE, Touch(3, 104.0)).by_day == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert answer_question(THREE, Touch(3, 90.0)).by_day == pytest.approx([0, 1 / 3, 2 / 3])


def test_staying_ends_with_the_first_price_outside() -> None:
    assert answer_question(THREE, Stay(3, 95.0, 105.0)).by_day == pytest.approx([1, 1 / 3, 0])


def test_a_fall_is_from_here_or_from_the_highest_price_before() -> None:
    assert falls_to(THREE, 3, from_peak=False)[-1] == pytest.approx([0.01, 0.12, 0.22])
    assert falls_to(THREE, 3, from_peak=True)[-1] == pytest.approx([1 - 99 / 106, 0.12, 1 - 78 / 104])
    assert answer_question(THREE, Fall(3, 0.23, from_peak=True)).chance == pytest.approx(1 / 3)
    assert answer_question(THREE, Fall(3, 0.23)).chance == 0.0


def test_highest_and_lowest_are_those_of_the_whole_stretch() -> None:
    ends = answer_question(THREE, Range(3)).quantiles
    assert ends["highest"][2] == 104.0
    assert ends["lowest"][2] == 88.0


def test_worth_and_what_may_be_lost_of_it() -> None:
    found = answer_question(MADE, Worth(30, 2.0))
    fifth = QUANTILES[29, LEVELS.index(0.05)]
    assert found.quantiles["worth"][0] == pytest.approx(2 * fifth)
    assert found.at_risk[0.95] == pytest.approx(2 * (START - fifth))
    assert found.shortfall[0.95] > found.at_risk[0.95]
    assert found.shortfall[0.99] > found.at_risk[0.99] > found.at_risk[0.95]
    assert found.chance is None


@settings(max_examples=40)
@given(factor=move, ahead=days)
def test_chances_agree_with_each_other(factor: float, ahead: int) -> None:
    price = START * factor
    above, below = (
        answer_question(MADE, Close(ahead, low=price)),
        answer_question(MADE, Close(ahead, high=price)),
    )
    touch = answer_question(MADE, Touch(ahead, price))
    beyond = above if factor > 1 else below
    assert above.chance + below.chance == pytest.approx(1.0, abs=1 / COUNT)  # type: ignore[operator]
    assert touch.chance >= beyond.chance  # type: ignore[operator]
    assert (np.diff(touch.by_day) >= 0).all()
    if factor < 1:
        assert answer_question(MADE, Fall(ahead, 1 - factor)).chance == pytest.approx(touch.chance, abs=1e-9)
    else:
        band = answer_question(MADE, Stay(ahead, START / 1e6, price))
        assert band.chance == pytest.approx(1 - touch.chance, abs=1e-9)  # type: ignore[operator]


@settings(max_examples=20)
@given(level=st.sampled_from(LEVELS), ahead=days)
def test_the_chance_beyond_an_issued_quantile_is_its_level(level: float, ahead: int) -> None:
    price = QUANTILES[ahead - 1, LEVELS.index(level)]
    assert answer_question(MADE, Close(ahead, high=price)).chance == pytest.approx(level, abs=1 / COUNT)


def test_what_happened_answers_with_yes_or_no() -> None:
    happened = Paths(100.0, THREE.close[:, :1], THREE.high[:, :1], THREE.low[:, :1])
    assert answer_question(happened, Touch(3, 110.0)).chance == 1.0
    assert answer_question(happened, Close(3, low=103.0)).chance == 0.0
