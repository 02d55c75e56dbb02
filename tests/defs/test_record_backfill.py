"""The record is filled backwards by the ordinary assets, newest first, and gives way to every other run."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import dagster as dg
import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.cli import record_backfill
from btc_assets.cli.give_way import giving_way, unfinished_runs
from btc_assets.cli.record_backfill import fill, record_depth
from btc_assets.contracts import FORECAST_SCORES, FORECASTS
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import run_tags, window_of_run
from btc_assets.io import progress
from btc_assets.launch import RunFailed, run_window
from btc_assets.market.calendar import DAY, days
from btc_assets.modeling import samples
from btc_assets.settings import Settings

THERE, DEPTH = 3, 8
FIRST = LAST - (DEPTH - 1) * DAY


@pytest.fixture
def graph(forecast: GraphEnvironment) -> GraphEnvironment:
    """Three forecasts are there."""
    return forecast


@pytest.fixture
def settings(graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A record of the last three days, of eight that are wanted; the vintages are fitted already."""
    monkeypatch.setattr(samples, "fewest_candles", lambda _: 600)
    monkeypatch.setattr(record_backfill, "CHUNK", 3)
    monkeypatch.setattr(progress, "_plan", progress.Plan({}))
    graph.register(FIRST, LAST)
    return graph.settings.model_copy(update={"record_days": DEPTH})


def backfills(graph: GraphEnvironment) -> list[dg.DagsterRun]:
    """The runs of the record's backfill, oldest first."""
    runs = graph.instance.get_runs(filters=dg.RunsFilter(tags={"btc/launched_by": "record_backfill"}))
    return list(reversed(runs))


def test_it_is_filled_newest_first_and_goes_on_where_it_was(
    graph: GraphEnvironment, settings: Settings
) -> None:
    """All of it is back-filled, and scored for every day that has closed."""
    assert record_depth(settings).done == THERE
    fill(settings.model_copy(update={"record_days": 5}), graph.instance)
    fill(settings, graph.instance)
    assert set(graph.table(FORECASTS)["origin_date"]) == set(days(FIRST, LAST + DAY))
    windows = [window_of_run(run) for run in backfills(graph)]
    assert windows == [Window(LAST - 4 * DAY, LAST - 2 * DAY), Window(FIRST, LAST - 4 * DAY)]
    assert record_depth(settings).missing == []
    scores = graph.table(FORECAST_SCORES)
    oldest = scores.filter((scores["origin_date"] == FIRST) & (scores["model"] == "ensemble"))
    assert oldest["horizon"].to_list() == list(range(1, DEPTH))
    assert not scores["live"].any()


def test_no_days_and_too_little_history_ask_for_nothing(
    graph: GraphEnvironment, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert record_depth(settings.model_copy(update={"record_days": 0})).missing == []
    monkeypatch.setattr(samples, "fewest_candles", lambda _: 10_000)
    assert record_depth(settings).missing == []


def test_none_begins_while_another_run_is_under_way(
    graph: GraphEnvironment, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, looks = daily_run(graph), []

    def look(_instance: object) -> tuple[list[dg.DagsterRun], list[dg.DagsterRun]]:
        looks.append(unfinished_runs(graph.instance))
        assert not backfills(graph)
        if len(looks) == 2:
            graph.instance.report_run_canceled(other)
            monkeypatch.setattr(record_backfill, "asked_to_end", lambda: True)
        return looks[-1]

    monkeypatch.setattr(record_backfill, "unfinished_runs", look)
    fill(settings, graph.instance)
    assert [len(others) for _, others in looks] == [1, 1]
    assert backfills(graph) == []


def daily_run(graph: GraphEnvironment) -> dg.DagsterRun:
    from btc_assets.definitions import defs

    job = defs.resolve_job_def("daily_partition")
    tags = run_tags(Window(LAST, LAST + DAY))
    return graph.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)


def test_a_run_under_way_is_cancelled_at_once_for_another(
    graph: GraphEnvironment, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place in the pool is free then, and no failure is told of."""
    working = threading.Event()

    def never_done(*_: Any, **__: Any) -> None:
        working.set()
        while True:
            time.sleep(0.05)

    monkeypatch.setattr("btc_assets.defs.assets.networks.open_book", never_done)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=lambda: (working.wait(60), daily_run(graph)), daemon=True).start()
    with giving_way(graph.instance) as cancelled, pytest.raises(RunFailed):
        run_window(graph.instance, "walk_forward", Window(LAST, LAST + DAY), launched_by="record_backfill")
    signal.signal(signal.SIGINT, before)
    assert cancelled.is_set()
    assert [run.status for run in backfills(graph)] == [dg.DagsterRunStatus.CANCELED]
    assert graph.instance.event_log_storage.get_concurrency_info("fit").active_slot_count == 0
