"""What each forecaster of the arena costs a day: seconds of its process, and the most memory it holds."""

from __future__ import annotations

import time

from benchmarks.bench_modeling import Row
from btc_assets.forecasters.discovery import Entrant, chosen
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.forecasters.worker_process import ForecastResult, WorkerProcess
from btc_assets.market.calendar import DAY, FIRST_DAY

ORIGIN = FIRST_DAY + 3000 * DAY
LATER = 5
"""Forecasts after the first, of which the mean is told."""


def run() -> list[Row]:
    """Ask everybody who is installed, one after the other, on the simulated market."""
    return [row for entrant in chosen("all") for row in costs(entrant)]


def costs(entrant: Entrant) -> list[Row]:
    """A whole day of one forecaster, from the start of its process; and each further origin of a range."""
    data = simulated_data([], ORIGIN + (LATER + 1) * DAY)
    began = time.perf_counter()
    with WorkerProcess(entrant) as worker:
        results: list[ForecastResult] = []
        for n in range(LATER + 1):
            results.append(worker.ask(data.observed(ORIGIN + n * DAY, worker.needs)))
            if n == 0:
                day = time.perf_counter() - began
    failed = [result.reason for result in results if result.outcome != "ok"]
    if failed:
        return [(entrant.name, failed[0], "")]
    further = sum(result.seconds for result in results[1:]) / LATER
    peak = max(result.peak_mb for result in results)
    return [
        (
            entrant.name,
            f"{day:.1f} s a day, {further:.2f} s a further origin, {peak:,.0f} MiB",
            "< 60 s, 2 GiB",
        )
    ]
