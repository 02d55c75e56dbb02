"""A market of which nothing is loaded yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Exchange
from graph_environment import GraphEnvironment, point_settings_at

from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY


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
