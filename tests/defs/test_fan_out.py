"""A walk-forward backtest split over several runs, in processes of their own, gives what one run gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment
from polars.testing import assert_frame_equal
from processes import end_session

from btc_assets.contracts import BASELINE_FORECASTS, FORECAST_SCORES, FORECASTS, VINTAGES_IN_FORCE, TableSpec
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import run_tags
from btc_assets.factory import open_tables
from btc_assets.market.calendar import DAY

pytestmark = [pytest.mark.images, pytest.mark.timeout(900)]

FIRST, PARTS = LAST - 11 * DAY, 3
WRITTEN = {
    FORECASTS: "issued_at",
    BASELINE_FORECASTS: "issued_at",
    VINTAGES_IN_FORCE: None,
    FORECAST_SCORES: None,
}


def contents(graph: GraphEnvironment) -> dict[str, pl.DataFrame]:
    """Every table the backtest writes, in order of its key, without the time of writing."""
    found = {}
    for spec, written_at in WRITTEN.items():
        rows = graph.table(spec).sort(spec.key)
        found[spec.name] = rows.drop(written_at) if written_at else rows
    return found


def clear(graph: GraphEnvironment) -> None:
    tables = open_tables(graph.settings)

    def empty(spec: TableSpec) -> None:
        tables.delete_keys(spec, graph.table(spec).select(spec.key))

    for spec in WRITTEN:
        empty(spec)


def launch(window: Window) -> None:
    """Put one run of the backtest into the queue, as the UI's backfill or a schedule would."""
    command = [
        str(Path(sys.executable).with_name("dagster")),
        "job",
        "launch",
        "-m",
        "btc_assets.definitions",
    ]
    tags = json.dumps(run_tags(window))
    subprocess.run(
        [*command, "-j", "walk_forward", "--tags", tags], check=True, capture_output=True, timeout=300
    )


def test_several_runs_launched_as_processes_write_what_one_run_writes(
    graph: GraphEnvironment, tmp_path: Path
) -> None:
    graph.register(FIRST, LAST)
    graph.run("walk_forward", FIRST, LAST)
    whole = contents(graph)
    clear(graph)
    width = ((LAST - FIRST).days + 1) // PARTS
    windows = [Window(FIRST + i * width * DAY, FIRST + (i + 1) * width * DAY) for i in range(PARTS)]
    for window in windows:
        launch(window)
    daemon = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", "btc_assets.definitions"]
    with (tmp_path / "daemon.log").open("w") as log:
        process = subprocess.Popen(daemon, stdout=log, stderr=log, env=os.environ, start_new_session=True)
        try:
            statuses = wait_for(graph.instance, PARTS)
        finally:
            end_session(process)
    assert statuses == [dg.DagsterRunStatus.SUCCESS] * PARTS, (tmp_path / "daemon.log").read_text()[-4000:]
    for name, rows in contents(graph).items():
        assert_frame_equal(rows, whole[name], check_exact=True)


def wait_for(instance: dg.DagsterInstance, count: int, seconds: float = 600) -> list[dg.DagsterRunStatus]:
    """How the ``count`` newest runs of the backtest ended."""
    deadline = time.monotonic() + seconds
    while True:
        runs = instance.get_runs(filters=dg.RunsFilter(job_name="walk_forward"), limit=count)
        if all(run.is_finished for run in runs) or time.monotonic() > deadline:
            return [run.status for run in runs]
        time.sleep(0.5)
