"""Fixtures that more than one folder uses."""

from __future__ import annotations

import datetime as dt
import gc
import os
import shutil
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import leftovers
import pytest
from cli_fixture import btc, prepared_btc
from exchange import Exchange
from made_once import made_once

__all__ = ["btc", "prepared_btc"]

# How long an example takes is the machine's.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

if TYPE_CHECKING:
    from graph_environment import GraphEnvironment


def pytest_configure() -> None:
    """Begin like a program at a terminal, and give TensorFlow's logger a stream of its own.

    Started with nohup, this process ignores hang-ups, and so would every program that a test starts.
    TensorFlow's logger closes the stream that it began with when logging is configured anew while
    ``sys.stderr`` is another, as in a test that captures: every later test of the process would fail.
    """
    from absl import logging

    gc.disable()  # until everything is collected
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    logging.get_absl_handler().python_handler.stream = sys.__stderr__
    leftovers.pytest_configure()


def pytest_unconfigure() -> None:
    """Leave nothing running that a test started."""
    leftovers.pytest_unconfigure()


def pytest_collection_finish() -> None:
    """Let no collection of garbage look at the modules and thousands of tests that stay to the end."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest: at the end one worker would sit over each alone."""
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        if limit := item.get_closest_marker("timeout"):
            longest[item.path] = max(longest[item.path], limit.args[0])
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(autouse=True)
def _no_instance_of_another_test() -> Iterator[None]:
    """Let go of the Dagster instance that an earlier test of this process may have left current.

    Dagster keeps it in a context variable, and who opens one sets DAGSTER_HOME; one that is gone makes
    loading definitions fail.
    """
    if "dagster._core.storage.defs_state.base" in sys.modules:
        from dagster._core.storage.defs_state.base import _current_storage

        _current_storage.set(None)
    home = os.environ.get("DAGSTER_HOME")
    yield
    os.environ.pop("DAGSTER_HOME", None)
    if home is not None:
        os.environ["DAGSTER_HOME"] = home


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Binance on loopback; see `tests/support/exchange.py`."""
    server = Exchange().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Exchange]]:
    """Two years of history loaded once, through the real source and the real job."""
    from graph_environment import LAST, GraphEnvironment, point_settings_at

    from btc_assets.launch import open_instance
    from btc_assets.market.calendar import DAY, FIRST_DAY

    exchange = Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(FIRST_DAY, LAST + 40 * DAY)
    exchange.start()

    def load(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            settings = point_settings_at(patch, exchange, folder)
            patch.setenv("BTC_SOURCE_DEADLINE", "120")  # on a busy machine, too
            with open_instance(settings) as instance:
                GraphEnvironment(exchange, settings, instance).run("market_history", FIRST_DAY, LAST)

    yield made_once(tmp_path_factory, "loaded", load), exchange
    exchange.stop()


@pytest.fixture(scope="session")
def issued(loaded: tuple[Path, Exchange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the loaded folder in which the three newest origins were forecast, in one run."""
    from graph_environment import LAST, GraphEnvironment, point_settings_at

    from btc_assets.launch import open_instance
    from btc_assets.market.calendar import DAY

    def issue(folder: Path) -> None:
        shutil.copytree(loaded[0], folder)
        with pytest.MonkeyPatch.context() as patch:
            settings = point_settings_at(patch, loaded[1], folder)
            with open_instance(settings) as instance:
                graph = GraphEnvironment(loaded[1], settings, instance)
                graph.register(LAST - 2 * DAY, LAST)
                graph.run("walk_forward", LAST - 2 * DAY, LAST)

    return made_once(tmp_path_factory, "issued", issue)


Copied = Callable[[Path], "GraphEnvironment"]


@pytest.fixture
def copied(
    loaded: tuple[Path, Exchange], tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Copied]:
    """Copy a folder of `loaded`'s market to change at will, beside an exchange of its own."""
    from graph_environment import GraphEnvironment, point_settings_at

    from btc_assets.launch import open_instance

    with ExitStack() as stack:

        def copy(folder: Path) -> GraphEnvironment:
            shutil.copytree(folder, tmp_path / "data")
            exchange.rows, exchange.bars = dict(loaded[1].rows), dict(loaded[1].bars)
            exchange.clock = dt.datetime.now(dt.UTC)
            settings = point_settings_at(monkeypatch, exchange, tmp_path / "data")
            return GraphEnvironment(exchange, settings, stack.enter_context(open_instance(settings)))

        yield copy


@pytest.fixture
def graph(copied: Copied, loaded: tuple[Path, Exchange]) -> GraphEnvironment:
    """A copy of the loaded folder."""
    return copied(loaded[0])


@pytest.fixture
def forecast(copied: Copied, issued: Path) -> GraphEnvironment:
    """A copy of the folder with three forecasts."""
    return copied(issued)
