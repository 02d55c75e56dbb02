"""A data folder with two years of candles, loaded once through the real source and job."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at

from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Exchange]]:
    """Two years of history loaded once, through the real source and the real job."""
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
    folder, source = loaded
    shutil.copytree(folder, tmp_path / "data")
    exchange.rows, exchange.bars = dict(source.rows), dict(source.bars)
    exchange.clock = dt.datetime.now(dt.UTC)
    settings = point_settings_at(monkeypatch, exchange, tmp_path / "data")
    with open_instance(settings) as instance:
        yield GraphEnvironment(exchange, settings, instance)


@pytest.fixture
def empty(tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphEnvironment]:
    """Nothing loaded yet; the exchange knows the first 200 days."""
    exchange.rows.clear()
    exchange.bars.clear()
    exchange.list_market(FIRST_DAY, FIRST_DAY + 199 * DAY)
    exchange.clock = dt.datetime.now(dt.UTC)
    settings = point_settings_at(monkeypatch, exchange, tmp_path)
    with open_instance(settings) as instance:
        yield GraphEnvironment(exchange, settings, instance)
