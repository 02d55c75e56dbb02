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


@pytest.mark.parametrize("lag", [0, 6, 29])
def test_the_statistic_agrees_with_statsmodels_newey_west(lag: int) -> None:
    difference = _moving_average(400, lag)
    fit = sm.OLS(difference, np.ones(400)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False, "kernel": "bartlett"}
    )
    ours = diebold_mariano(difference, lag, small_sample=False)
    assert ours is not None
    assert ours.statistic == pytest.approx(fit.tvalues[0], rel=1e-9)
    assert ours.p_two_sided == pytest.approx(fit.pvalues[0], rel=1e-9)


def test_the_small_sample_correction_is_harvey_leybourne_newbold() -> None:
    difference, h, n = _moving_average(60, 6), 7, 60
    plain, small = diebold_mariano(difference, 6, small_sample=False), diebold_mariano(difference, 6)
    assert plain is not None
    assert small is not None
    factor = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    assert small.statistic == pytest.approx(plain.statistic * factor)
    assert small.p_two_sided == pytest.approx(2 * scipy.stats.t.sf(abs(small.statistic), n - 1), rel=1e-9)
    assert small.p_two_sided > plain.p_two_sided


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


def test_equally_good_forecasts_are_rarely_told_apart() -> None:
    tests = [diebold_mariano(_moving_average(120, 6, mean=0.0), 6) for _ in range(400)]
    rate = np.mean([t is not None and t.p_worse < 0.01 for t in tests])
    assert rate < 0.05


@pytest.mark.parametrize("dof", [1, 5, 30, 881])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.7, 4.0, 12.0])
def test_student_t_tail_agrees_with_scipy(dof: int, t: float) -> None:
    assert student_t_tail(t, dof) == pytest.approx(scipy.stats.t.sf(t, dof), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("dof", [1.0, 2.3, 9.0, 400.0])
def test_quantiles_of_student_s_t_are_scipy_s(dof: float) -> None:
    for tail in (0.4, 0.025, 0.001):
        assert student_t_quantile(tail, dof) == pytest.approx(scipy.stats.t.isf(tail, dof), rel=1e-9)
