"""The model confidence set agrees with the library that has it, and blocks keep together what overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st

from btc_assets.statistics.bootstrap import block_length, block_means, circular_blocks, resampled_means
from btc_assets.statistics.confidence_set import confidence_set


def losses(days: int, worse: list[float], seed: int = 3) -> np.ndarray:
    """Losses [days, models] that share most of their noise; ``worse`` is added to each model's."""
    rng = np.random.default_rng(seed)
    shared, own = rng.gamma(2.0, size=(days, 1)), rng.normal(scale=0.3, size=(days, len(worse)))
    return shared + own + np.array(worse)


@pytest.mark.parametrize(("days", "block", "seed"), [(300, 7, 1), (120, 1, 2), (500, 30, 3)])
def test_p_values_are_those_of_arch(days: int, block: int, seed: int) -> None:
    values = losses(days, [0.0, 0.01, 0.02, 0.05, 0.4], seed)
    theirs = MCS(values, size=0.05, reps=400, block_size=block, bootstrap="circular", seed=seed)
    theirs.compute()
    resampled = resampled_means(values, theirs._bootstrap_indices)
    ours = confidence_set(values.mean(axis=0), resampled)
    assert ours == pytest.approx(theirs.pvalues["Pvalue"].sort_index().to_numpy())


@pytest.mark.parametrize("seed", range(12))
def test_a_model_that_leaves_later_has_no_smaller_p_value(seed: int) -> None:
    """Of models this close, a later pair is often told apart more easily than an earlier one was."""
    values = losses(50, [0.0, 0.05, 0.06, 0.07, 0.09], seed)
    theirs = MCS(values, size=0.05, reps=100, block_size=2, bootstrap="circular", seed=seed)
    theirs.compute()
    ours = confidence_set(values.mean(axis=0), resampled_means(values, theirs._bootstrap_indices))
    assert ours == pytest.approx(theirs.pvalues["Pvalue"].sort_index().to_numpy())


def test_a_clearly_worse_model_leaves_and_equal_ones_stay() -> None:
    values = losses(400, [0.0, 0.0, 0.3])
    p = confidence_set(values.mean(axis=0), resampled_means(values, circular_blocks(400, 5)))
    assert (p >= 0.05).tolist() == [True, True, False]
    assert p.max() == 1.0


def test_the_same_model_twice_is_in_the_set_twice() -> None:
    """Their difference never varies: nothing to divide by, and nothing to tell apart."""
    one = losses(200, [0.0])
    for values in (np.hstack([one, one]), np.hstack([one, one * (1 + 1e-15), one + 0.5])):
        p = confidence_set(values.mean(axis=0), resampled_means(values, circular_blocks(200, 5, 200)))
        assert p[:2].tolist() == [1.0, 1.0]


def test_the_best_model_stays_and_intervals_hold_where_forecasts_overlap() -> None:
    """Unwidened, ten blocks of a week threw a best model out in 13 worlds of 100; 82 intervals held."""
    thrown_out, held, days, ahead = 0, 0, 70, 7
    for seed in range(100):
        steps = np.random.default_rng(seed).standard_t(6, size=(days + ahead, 5)).cumsum(axis=0)
        values = steps[ahead:] - steps[:-ahead]
        means = block_means(values, ahead)
        thrown_out += bool(confidence_set(values.mean(axis=0), means)[0] < 0.05)
        low, high = np.quantile(means[:, 0], [0.025, 0.975])
        held += bool(low <= 0.0 <= high)
    assert thrown_out <= 8
    assert 86 <= held <= 100


@settings(max_examples=60)
@given(count=st.integers(1, 400), horizon=st.integers(1, 90))
def test_blocks_are_runs_of_days_as_long_as_what_overlaps(count: int, horizon: int) -> None:
    block = block_length(count, horizon)
    assert min(horizon, count) <= block <= count
    (places,) = circular_blocks(count, block, 1)
    assert places.shape == (count,)
    runs = [places[at : at + block] for at in range(0, count, block)]
    assert all(((np.diff(run) % count) == (1 % count)).all() for run in runs)
