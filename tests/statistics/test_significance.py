from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from btc_assets.statistics.significance import diebold_mariano, student_t_quantile, student_t_tail

RNG = np.random.default_rng(5)


def _moving_average(n: int, lag: int, mean: float = 0.05) -> np.ndarray:
    noise = RNG.normal(size=n + lag)
    return np.convolve(noise, np.ones(lag + 1) / (lag + 1), mode="valid") + mean


def test_the_corrected_statistic_is_the_one_worked_out_by_hand() -> None:
    """Twelve differences of mean 1.5, 3 days ahead: autocovariances 5/4, -35/48 and 7/24 sum to 3/8."""
    found = diebold_mariano(np.array([2.0, 1, 3, 0, 3, 2, 0, 3, 1, 2, 0, 1]), 2)
    assert found is not None
    plain, correction = 1.5 / np.sqrt(3 / 8 / 12), np.sqrt((12 + 1 - 2 * 3 + 3 * 2 / 12) / 12)
    assert found.statistic == pytest.approx(plain * correction, rel=1e-12)
    assert found.statistic == pytest.approx(3 * np.sqrt(5), rel=1e-12)
    assert found.p_two_sided == pytest.approx(2 * scipy.stats.t.sf(3 * np.sqrt(5), 11), rel=1e-9)


def test_where_autocovariances_in_full_leave_no_variance_bartlett_s_weights_do() -> None:
    swinging = np.array([1.0, -1.0] * 10) + np.linspace(0, 0.02, 20)
    found, n = diebold_mariano(swinging, 1), 20
    newey_west = sm.OLS(swinging, np.ones(n)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 1, "use_correction": False, "kernel": "bartlett"}
    )
    assert found is not None
    assert found.statistic == pytest.approx(newey_west.tvalues[0] * np.sqrt((n - 3 + 2 / n) / n))


def test_p_worse_is_one_sided() -> None:
    worse = diebold_mariano(_moving_average(300, 0, mean=0.5), 0)
    better = diebold_mariano(_moving_average(300, 0, mean=-0.5), 0)
    assert worse is not None
    assert better is not None
    assert worse.p_worse < 1e-6
    assert better.p_worse > 1 - 1e-6


def test_equal_forecasts_and_short_samples_give_no_test() -> None:
    assert diebold_mariano(np.zeros(50), 3) is None
    assert diebold_mariano(np.arange(9.0), 0) is None


def test_equally_good_forecasts_are_told_apart_as_seldom_as_promised() -> None:
    """Bartlett's weights told them apart 11 times in a hundred here."""
    rng = np.random.default_rng(11)
    worlds = [np.convolve(rng.normal(size=356), np.ones(7), mode="valid") for _ in range(1500)]
    tests = [diebold_mariano(world, 6) for world in worlds]
    assert 0.035 < np.mean([t is not None and t.p_two_sided < 0.05 for t in tests]) < 0.075


@pytest.mark.parametrize("dof", [1, 5, 30, 881])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.7, 4.0, 12.0])
def test_student_t_tail_agrees_with_scipy(dof: int, t: float) -> None:
    assert student_t_tail(t, dof) == pytest.approx(scipy.stats.t.sf(t, dof), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("dof", [1.0, 2.3, 9.0, 400.0])
def test_quantiles_of_student_s_t_are_scipy_s(dof: float) -> None:
    for tail in (0.4, 0.025, 0.001):
        assert student_t_quantile(tail, dof) == pytest.approx(scipy.stats.t.isf(tail, dof), rel=1e-9)
