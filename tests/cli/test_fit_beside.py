"""The second process of a first start fits what the run fits last, to the same bytes."""

from __future__ import annotations

import contextlib
import multiprocessing

import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.cli import catch_up
from btc_assets.cli.fit_beside import BESIDE, fitting_beside
from btc_assets.contracts import FORECASTS, VINTAGES_IN_FORCE
from btc_assets.defs.partitions import Window
from btc_assets.factory import open_registry
from btc_assets.market.calendar import DAY
from btc_assets.modeling import vintages, worker_processes
from btc_assets.settings import load
from btc_assets.storage.registry.protocol import VintageId

ONE = Window(LAST, LAST + DAY)


def test_what_was_fitted_beside_is_what_the_run_would_have_fitted(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_REFIT_EVERY", "1")  # the last day is the first with enough candles before it
    graph.settings = load()
    graph.register(LAST - DAY, LAST - DAY)
    monkeypatch.setattr(worker_processes, "cores", lambda: 2)
    with fitting_beside(ONE):
        assert len(multiprocessing.active_children()) == 1
    made = open_registry(graph.settings).get(BESIDE, VintageId(LAST))
    assert made is not None

    monkeypatch.setattr(vintages, "fit", None)  # nothing is left to be fitted
    graph.run("walk_forward", LAST, LAST, [f"{BESIDE}_model"])
    row = graph.table(VINTAGES_IN_FORCE).filter(pl.col("date") == LAST, pl.col("model") == BESIDE)
    assert row["vintage"].to_list() == [LAST]
    assert row["manifest_sha256"].to_list() == [made.manifest_sha256]


def test_one_core_is_left_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "cores", lambda: 1)
    with fitting_beside(ONE):
        assert multiprocessing.active_children() == []


def test_a_first_start_fits_beside_and_no_later_one_does(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Window] = []

    def beside(window: Window) -> contextlib.AbstractContextManager[None]:
        begun.append(window)
        return contextlib.nullcontext()

    monkeypatch.setattr(catch_up, "fitting_beside", beside)
    graph.register(LAST - DAY, LAST)
    catch_up.issue_forecasts(graph.settings, graph.instance, LAST - DAY, LAST - DAY)
    assert graph.table(FORECASTS)["origin_date"].unique().to_list() == [LAST - DAY]
    assert begun == [Window(LAST - DAY, LAST)]

    asked: list[Window] = []
    monkeypatch.setattr("btc_assets.launch.run_window", lambda _, __, window: asked.append(window))
    catch_up.issue_forecasts(graph.settings, graph.instance, LAST, LAST)
    assert asked == [ONE]
    assert len(begun) == 1
