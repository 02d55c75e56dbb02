"""How often the confidence set loses a best model, and how often intervals hold, where forecasts overlap.

    python -m benchmarks.bench_confidence_sets [--worlds 200]

In each made-up world all models are equally good: losses of forecasts h days ahead are sums of h daily shocks
(Student's t with 6 degrees of freedom). A given model should leave the set in at most 5 % of the worlds, and
95 % of the intervals should hold its true mean loss. Each is measured with and without the widening of
``statistics.bootstrap``.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from btc_assets.modeling.history import Floats
from btc_assets.statistics.bootstrap import block_length, block_means, circular_blocks, resampled_means
from btc_assets.statistics.confidence_set import confidence_set

CASES = ((12, 1), (30, 1), (100, 1), (70, 7), (140, 7), (350, 7), (300, 30), (600, 30), (1000, 30))
"""Days and horizon."""

MODELS = 5


def made_up_losses(days: int, horizon: int, seed: int) -> Floats:
    """Losses [days, MODELS] whose means are 0."""
    shocks = np.random.default_rng(seed).standard_t(6, size=(days + horizon, MODELS))
    sums = shocks.cumsum(axis=0)
    return np.asarray((sums[horizon:] - sums[:-horizon]) / np.sqrt(horizon))


def plain(values: Floats, horizon: int) -> Floats:
    """Resampled means as blocks give them."""
    days = len(values)
    return resampled_means(values, circular_blocks(days, block_length(days, horizon)))


def measure(days: int, horizon: int, worlds: int) -> list[float]:
    """Return shares of worlds: best model lost, interval holds, as is and widened."""
    found = np.zeros((worlds, 4))
    for seed in range(worlds):
        values = made_up_losses(days, horizon, seed)
        for at, resample in enumerate((plain, block_means)):
            means = resample(values, horizon)
            low, high = np.quantile(means[:, 0], [0.025, 0.975])
            lost = confidence_set(values.mean(axis=0) + 10, means + 10)[0] < 0.05
            found[seed, 2 * at : 2 * at + 2] = lost, low <= 0.0 <= high
    return [float(share) for share in found.mean(axis=0)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200)
    worlds = parser.parse_args().worlds
    table = Table("days", "ahead", "apart", "lost, plain", "holds, plain", "lost", "holds")
    for days, horizon in CASES:
        shares = (f"{100 * share:.0f} %" for share in measure(days, horizon, worlds))
        table.add_row(str(days), str(horizon), str(days // horizon), *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
