"""Fixtures that more than one folder uses."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import leftovers
import pytest
from exchange import Exchange

if TYPE_CHECKING:
    from graph_environment import GraphEnvironment


def pytest_configure() -> None:
    """Begin like a program at a terminal, and give TensorFlow's logger a stream of its own.

    Started with nohup, this process ignores hang-ups, and so would every program that a test starts.
    TensorFlow's logger closes the stream that it began with when logging is configured anew while
    ``sys.stderr`` is another, as in a test that captures: every later test of the process would fail.
    """
    from absl import logging

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    logging.get_absl_handler().python_handler.stream = sys.__stderr__
    leftovers.pytest_configure()


def pytest_unconfigure() -> None:
    """Leave nothing running that a test started."""
    leftovers.pytest_unconfigure()


@pytest.fixture(autouse=True)
def _no_instance_of_another_test() -> None:
    """Let go of the Dagster instance that an earlier test of this process may have left current.

    Dagster keeps it in a context variable; one whose instance is gone makes loading definitions fail.
    """
    if "dagster._core.storage.defs_state.base" in sys.modules:
        from dagster._core.storage.defs_state.base import _current_storage

        _current_storage.set(None)


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

    folder = tmp_path_factory.mktemp("loaded")
    exchange = Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(FIRST_DAY, LAST + 40 * DAY)
    exchange.start()
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        with open_instance(settings) as instance:
            GraphEnvironment(exchange, settings, instance).run("market_history", FIRST_DAY, LAST)
        yield folder, exchange
    exchange.stop()


@pytest.fixture
def graph(
    loaded: tuple[Path, Exchange], tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GraphEnvironment]:
    """A copy of the loaded folder to change at will, beside an exchange of its own."""
    from graph_environment import GraphEnvironment, point_settings_at

    from btc_assets.launch import open_instance

    folder, source = loaded
    shutil.copytree(folder, tmp_path / "data")
    exchange.rows, exchange.bars = dict(source.rows), dict(source.bars)
    exchange.clock = dt.datetime.now(dt.UTC)
    settings = point_settings_at(monkeypatch, exchange, tmp_path / "data")
    with open_instance(settings) as instance:
        yield GraphEnvironment(exchange, settings, instance)
