from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from polars import col
from synthetic_candles import FIRST, altered_after, candles

from btc_assets.chances.marginals import sorted_closes
from btc_assets.chances.paths import COUNT, Paths, paths, shuffled
from btc_assets.chances.templates import Templates, templates
from btc_assets.contracts import HORIZONS, LEVELS
from btc_assets.errors import NotEnoughHistory
from btc_assets.modeling.baselines import mixture_walk
from btc_assets.modeling.history import Floats, history

KLINES = candles(1200)
H = history(KLINES)
ORIGIN = FIRST + dt.timedelta(days=1100)
AT = H.index(ORIGIN)
QUANTILES = H.close[AT] * np.exp(mixture_walk(H, [AT])[0])
SHAPES = templates(H, AT, COUNT)

steps = arrays(np.float64, (HORIZONS, len(LEVELS)), elements=st.floats(0.0, 0.3), fill=st.floats(0.0, 0.3))
prices = st.floats(0.01, 10_000_000.0)


def any_quantiles(start: float, gaps: Floats) -> Floats:
    """Non-decreasing quantiles of any shape; a gap of 0 ties two of them."""
    logs = np.cumsum(gaps, axis=1)
    return np.asarray(start * np.exp(logs - logs[:, [len(LEVELS) // 2]]))


@settings(max_examples=25)
@given(start=prices, gaps=steps)
def test_the_closes_have_the_issued_quantiles_at_every_level_and_horizon(start: float, gaps: Floats) -> None:
    quantiles = any_quantiles(start, gaps)
    made = shuffled(start, SHAPES, quantiles)
    found = np.quantile(made.close, LEVELS, axis=1).T
    np.testing.assert_allclose(found, quantiles, rtol=1e-12)


@settings(max_examples=25)
@given(start=prices, gaps=steps)
def test_every_day_is_a_candle(start: float, gaps: Floats) -> None:
    made = shuffled(start, SHAPES, any_quantiles(start, gaps))
    before = np.vstack([np.full(COUNT, start), made.close[:-1]])
    assert (made.low > 0).all()
    assert np.isfinite(made.high).all()
    assert (made.high >= np.maximum(made.close, before)).all()
    assert (made.low <= np.minimum(made.close, before)).all()


@settings(max_examples=25)
@given(gaps=steps, count=st.integers(2, 500))
def test_a_marginal_is_monotone_and_reaches_beyond_its_outermost_quantiles(gaps: Floats, count: int) -> None:
    quantiles = any_quantiles(100.0, gaps)
    closes = sorted_closes(quantiles, count)
    assert (np.diff(closes, axis=1) >= 0).all()
    if count > 40:
        assert (closes[:, 0] <= quantiles[:, 0]).all()
        assert (closes[:, -1] >= quantiles[:, -1] * (1 - 1e-12)).all()


def test_a_marginal_has_no_jump_where_a_tail_begins() -> None:
    closes = sorted_closes(QUANTILES, 40_001)[6]
    steps = np.diff(np.log(closes))
    around = [1000, 39_000]
    for level in around:
        assert steps[level] == pytest.approx(steps[level - 1], rel=0.5)


def test_a_normal_distribution_is_rebuilt_within_its_quantiles() -> None:
    from statistics import NormalDist

    normal = NormalDist(0.0, 0.05)
    quantiles = np.exp([[normal.inv_cdf(level) for level in LEVELS]])
    middle = np.log(sorted_closes(quantiles, 2001)[0, 50:1951])
    expected = [normal.inv_cdf(i / 2000) for i in range(50, 1951)]
    np.testing.assert_allclose(middle, expected, atol=1e-12)


def test_each_path_keeps_the_ranks_of_its_template() -> None:
    made = shuffled(100.0, SHAPES, QUANTILES)
    for day in (0, 29, 89):
        assert (np.diff(made.close[day][np.argsort(SHAPES.returns[day], kind="stable")]) >= 0).all()


def test_nothing_after_the_origin_is_read() -> None:
    other = history(altered_after(KLINES, ORIGIN))
    assert content(paths(other, AT, QUANTILES)) == content(paths(H, AT, QUANTILES))


def test_the_same_forecast_gives_the_same_bytes_and_another_others() -> None:
    first = content(paths(H, AT, QUANTILES))
    assert content(paths(history(KLINES), AT, QUANTILES.copy())) == first
    assert content(paths(H, AT - 1, QUANTILES)) != first


def test_paths_are_as_likely_upside_down() -> None:
    symmetric = 100.0 * np.exp(np.linspace(-0.2, 0.2, 21)[None, :] * np.sqrt(np.arange(1, 91))[:, None] / 9)
    made = shuffled(100.0, SHAPES, symmetric)
    up, down = made.high[:30].max(axis=0) / 100.0, 100.0 / made.low[:30].min(axis=0)
    for level in (0.1, 0.5, 0.9):
        assert np.quantile(up, level) == pytest.approx(np.quantile(down, level), rel=0.05)


def test_days_without_a_candle_only_cost_the_stretches_that_hold_them() -> None:
    gap = FIRST + dt.timedelta(days=600)
    holed = history(KLINES.filter(col("date") != gap))
    made = paths(holed, holed.index(ORIGIN), QUANTILES)
    assert np.isfinite(made.high).all()


def beyond_closes(made: Paths) -> Floats:
    """How far each day's high lies above the higher of its closes, in log price [days, paths]."""
    before = np.vstack([np.full(COUNT, made.start), made.close[:-1]])
    return np.asarray(np.log(made.high / np.maximum(before, made.close)))


def test_a_high_reaches_as_far_as_the_days_before_were_lively_however_wide_the_forecast_is() -> None:
    lively = Templates(2.0 * SHAPES.volatility, SHAPES.returns, SHAPES.above, SHAPES.below)
    wide = H.close[AT] * (QUANTILES / H.close[AT]) ** 2
    usual = beyond_closes(shuffled(float(H.close[AT]), SHAPES, QUANTILES))
    doubled = beyond_closes(shuffled(float(H.close[AT]), lively, QUANTILES))
    np.testing.assert_allclose(doubled, 2.0 * usual, atol=1e-12)
    np.testing.assert_allclose(beyond_closes(shuffled(float(H.close[AT]), SHAPES, wide)), usual, atol=1e-12)
    np.testing.assert_allclose(usual, SHAPES.volatility * SHAPES.above, atol=1e-12)


def test_an_origin_after_days_without_candles_is_refused_in_words() -> None:
    gap = [ORIGIN - dt.timedelta(days=days) for days in (1, 2)]
    holed = history(KLINES.filter(~col("date").is_in(gap)))
    with pytest.raises(NotEnoughHistory, match="two candles of the three days"):
        templates(holed, holed.index(ORIGIN), COUNT)


def test_too_short_a_history_is_refused_in_words() -> None:
    with pytest.raises(NotEnoughHistory, match="candles before the origin"):
        templates(H, 300, COUNT)


def content(made: Paths) -> tuple[bytes, ...]:
    return made.close.tobytes(), made.high.tobytes(), made.low.tobytes()


def test_a_template_is_measured_in_the_volatility_of_its_time() -> None:
    assert isinstance(SHAPES, Templates)
    assert 0.5 < float(np.std(SHAPES.returns[0])) < 2.5
    assert (SHAPES.above >= 0).all()
    assert (SHAPES.below >= 0).all()
