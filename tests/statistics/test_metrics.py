from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st

from btc_assets.contracts import LEVELS
from btc_assets.statistics import metrics

RNG = np.random.default_rng(3)
QUANTILES = np.sort(RNG.normal(size=(200, 21)), axis=1)
OBSERVED = RNG.normal(size=200)


def test_pinball_agrees_with_scoringrules() -> None:
    theirs = np.mean(
        [scoringrules.quantile_score(OBSERVED, QUANTILES[:, i], level) for i, level in enumerate(LEVELS)],
        axis=0,
    )
    assert metrics.pinball(QUANTILES, OBSERVED) == pytest.approx(theirs, abs=1e-12)


def test_twice_the_pinball_loss_of_a_gaussian_is_close_to_its_crps() -> None:
    from scipy.stats import norm

    quantiles = np.tile(norm.ppf(LEVELS), (200, 1))
    ours = 2 * metrics.pinball(quantiles, OBSERVED).mean()
    assert ours == pytest.approx(scoringrules.crps_normal(OBSERVED, 0.0, 1.0).mean(), rel=0.05)


def test_coverage_counts_observations_in_the_interval_ends_included() -> None:
    quantiles = np.tile(np.arange(21.0), (4, 1))
    observed = np.array([5.0, 15.0, 4.9, 15.1])
    assert metrics.inside(quantiles, observed, 0.5).tolist() == [True, True, False, False]
    assert metrics.coverage(quantiles, observed, 0.5) == 0.5


def test_an_interval_that_no_levels_bound_is_refused() -> None:
    with pytest.raises(ValueError, match=r"75\.0%"):
        metrics.bounds(0.75)


def test_pit_of_a_calibrated_forecast_is_uniform_and_follows_its_levels() -> None:
    from scipy.stats import kstest, norm

    quantiles = np.tile(norm.ppf(LEVELS), (4000, 1))
    assert kstest(metrics.pit(quantiles, RNG.normal(size=4000)), "uniform").statistic < 0.03
    at_levels = metrics.pit(quantiles[:21], quantiles[0])
    assert at_levels == pytest.approx(LEVELS, abs=1e-12)
    far = metrics.pit(quantiles[:2], np.array([-99.0, 99.0]))
    assert far == pytest.approx([0.0125, 0.9875])


def test_pit_of_a_point_forecast_is_the_middle_of_what_it_can_mean() -> None:
    flat = np.full((3, 21), 5.0)
    assert metrics.pit(flat, np.array([4.0, 5.0, 6.0])) == pytest.approx([0.0125, 0.5, 0.9875])


@settings(max_examples=100)
@given(
    st.lists(st.floats(-5, 5), min_size=21, max_size=21),
    st.lists(st.floats(-6, 6), min_size=2, max_size=2),
)
def test_pit_never_falls_when_the_observation_rises(values: list[float], observed: list[float]) -> None:
    quantiles = np.tile(np.sort(values), (2, 1))
    low, high = metrics.pit(quantiles, np.sort(observed))
    assert 0 < low <= high + 1e-12 <= 1
