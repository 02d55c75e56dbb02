"""A walk-forward backtest split over several runs, in processes of their own, gives what one run gives."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from backtest_tables import clear, contents
from graph_environment import LAST, GraphEnvironment
from polars.testing import assert_frame_equal
from workers import instance_for_workers, queue_backtest, wait_for_runs, workers

from btc_assets.defs.partitions import Window
from btc_assets.launch import fail_orphaned_runs
from btc_assets.market.calendar import DAY

pytestmark = [pytest.mark.images, pytest.mark.timeout(900)]

FIRST, PARTS = LAST - 11 * DAY, 3
SUCCESS = {dg.DagsterRunStatus.SUCCESS}


@pytest.fixture
def whole(graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch) -> dict[str, pl.DataFrame]:
    """What one run over all days writes; the tables are empty again."""
    monkeypatch.setenv("BTC_SOURCE_DEADLINE", "60")  # the exchange has one of these cores, too
    graph.register(FIRST, LAST)
    graph.run("walk_forward", FIRST, LAST)
    written = contents(graph)
    clear(graph)
    return written


def windows() -> list[Window]:
    width = ((LAST - FIRST).days + 1) // PARTS
    return [Window(FIRST + i * width * DAY, FIRST + (i + 1) * width * DAY) for i in range(PARTS)]


def require_same(graph: GraphEnvironment, whole: dict[str, pl.DataFrame]) -> None:
    for name, rows in contents(graph).items():
        assert_frame_equal(rows, whole[name], check_exact=True)


def test_several_runs_launched_as_processes_write_what_one_run_writes(
    graph: GraphEnvironment, whole: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    queue_backtest(windows())
    with workers(0, tmp_path):
        ended = wait_for_runs(graph.instance, PARTS)
    assert {record.dagster_run.status for record in ended} == SUCCESS, (tmp_path / "daemon.log").read_text()
    require_same(graph, whole)


def test_several_workers_on_postgresql_write_what_one_run_writes(
    graph: GraphEnvironment, whole: dict[str, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance_for_workers(tmp_path / "shared") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        queue_backtest(windows())
        with dg.DagsterInstance.get() as instance, workers(2, tmp_path):
            ended = wait_for_runs(instance, PARTS)
        logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert {record.dagster_run.status for record in ended} == SUCCESS, logs[-8000:]
    assert "storing event batch" not in logs
    assert logs.count("Task execute_job") >= 2 * PARTS, "each was received and ended by a worker"
    require_same(graph, whole)


def test_a_run_on_another_machine_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.job
    def somewhere() -> None: ...

    with instance_for_workers(tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            run = instance.create_run_for_job(somewhere, status=dg.DagsterRunStatus.STARTED)
            tomorrow = dt.datetime.now(dt.UTC) + DAY
            assert fail_orphaned_runs(instance, began_before=tomorrow) == []
            assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
