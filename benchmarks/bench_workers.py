"""A backtest of six years over 1, 2 and 4 workers: ``python -m benchmarks.bench_workers [years]``.

Workers, daemon, PostgreSQL and Redis are real (deploy/workers/dagster.yaml), all on this machine. A run is a
year. The vintages are made beforehand: a fit takes its time on whatever worker it falls to, and would hide
the rest. What is measured goes from the start of the first run to the end of the last. Needs the packages of
scripts/debian-images.txt.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import polars as pl
import psutil
import pytest

from benchmarks.bench_graph import remote_exchange

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from backtest_tables import clear, contents  # noqa: E402 - the tests' own
from graph_environment import GraphEnvironment, point_settings_at  # noqa: E402
from workers import instance_for_workers, queue_backtest, wait_for_runs, workers  # noqa: E402

from btc_assets.defs.partitions import Window  # noqa: E402
from btc_assets.launch import open_instance  # noqa: E402
from btc_assets.market.calendar import DAY, FIRST_DAY  # noqa: E402

Row = tuple[str, str, str]
"""What, measured, aim."""

FIRST_YEAR, YEARS = 2019, 6
WORKERS = (1, 2, 4)


def run(years: int = YEARS) -> Iterator[Row]:
    """The backtest in one process, then over each number of workers."""
    if not (shutil.which("redis-server") and Path("/usr/lib/postgresql").exists()):
        yield ("workers", "not measured: no redis-server or postgresql (make test-images)", "")
        return
    first, last = dt.date(FIRST_YEAR, 1, 1), dt.date(FIRST_YEAR + years - 1, 12, 31)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = stack.enter_context(remote_exchange())
        settings = point_settings_at(patch, exchange, folder / "data")
        patch.setenv("BTC_SOURCE_DEADLINE", "120")
        with open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            graph.run("market_history", FIRST_DAY, last)
            graph.register(first, last)
            began, used = time.perf_counter(), time.process_time()
            graph.run("walk_forward", first, last)
            alone, used = time.perf_counter() - began, time.process_time() - used
        whole = contents(graph)
        load = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
        yield (f"{years} years in one process", f"{alone:.0f} s, {used:.0f} s of a processor; {load}", "")
        for count in (count for count in WORKERS if count <= years):
            clear(graph)
            yield from over_workers(graph, count, years, whole, folder / f"{count}")


def over_workers(
    graph: GraphEnvironment, count: int, years: int, whole: dict[str, pl.DataFrame], folder: Path
) -> list[Row]:
    """A run a year over ``count`` workers: seconds, seconds of processors, whether the tables agree."""
    windows = [
        Window(dt.date(year, 1, 1), dt.date(year, 12, 31) + DAY)
        for year in range(FIRST_YEAR, FIRST_YEAR + years)
    ]
    with instance_for_workers(folder) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        queue_backtest(windows)
        with dg.DagsterInstance.get() as instance, workers(count, folder) as started:
            ended = wait_for_runs(instance, years, seconds=7200)
            used = sum(seconds(process) for process in started)
    good = all(record.dagster_run.status is dg.DagsterRunStatus.SUCCESS for record in ended)
    took = max(record.end_time or 0 for record in ended) - min(record.start_time or 0 for record in ended)
    same = good and all(rows.equals(whole[name]) for name, rows in contents(graph).items())
    load = f"load {os.getloadavg()[0]:.0f}"
    return [
        (f"the same over {count} workers", f"{took:.0f} s, {used:.0f} s of processors; {load}", ""),
        (f"tables of {count} workers are those of one process", "yes" if same else "NO", "yes"),
    ]


def seconds(worker: psutil.Process) -> float:
    """Seconds of a processor that a worker and the processes of its runs have used."""
    used = worker.cpu_times()
    return float(used.user + used.system + used.children_user + used.children_system)


if __name__ == "__main__":
    for row in run(*map(int, sys.argv[1:])):
        print(*row, sep=" | ", flush=True)
