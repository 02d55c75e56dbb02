"""Torn logs of data tables: what was lost is fetched and derived again, without a person."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Exchange
from graph_environment import GraphEnvironment, point_settings_at
from polars.testing import assert_frame_equal

from btc_assets.cli.catch_up import load_history
from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H, SUPERSEDED_KLINES
from btc_assets.factory import open_tables
from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES

pytestmark = pytest.mark.faults

DATA = (RAW_KLINES, RAW_KLINES_4H, ENGINEERED_FEATURES)
LAST = FIRST_DAY + 99 * DAY


@pytest.fixture(scope="module")
def loaded_twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Exchange]]:
    """A hundred days, loaded by two runs, and the exchange that they came from."""
    folder, exchange = tmp_path_factory.mktemp("twice"), Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(FIRST_DAY, LAST + 99 * DAY)
    exchange.start()
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        with open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            graph.run("market_history", FIRST_DAY, LAST - 60 * DAY)
            graph.run("market_history", LAST - 59 * DAY, LAST)
    yield folder, exchange
    exchange.stop()


@pytest.fixture
def graph(
    loaded_twice: tuple[Path, Exchange], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GraphEnvironment]:
    """A copy of it to tear."""
    folder, exchange = loaded_twice
    shutil.copytree(folder, tmp_path / "data")
    settings = point_settings_at(monkeypatch, exchange, tmp_path / "data")
    with open_instance(settings) as instance:
        yield GraphEnvironment(exchange, settings, instance)


@pytest.mark.parametrize("torn", ["raw_klines", "raw_klines_4h", "engineered_features", "all"])
def test_T4_what_a_torn_log_lost_is_loaded_again_by_the_next_start(
    graph: GraphEnvironment, torn: str
) -> None:
    before = {spec.name: graph.table(spec) for spec in DATA}
    names = [spec.name for spec in DATA] if torn == "all" else [torn]
    for name in [*names, SUPERSEDED_KLINES.name]:
        tear(Path(graph.settings.root) / "tables" / name)
    assert any(graph.table(spec).height < before[spec.name].height for spec in DATA if spec.name in names)

    load_history(graph.settings, graph.instance, FIRST_DAY, LAST)
    for spec in DATA:
        same = [c for c in spec.schema if c != "ingested_at"]
        assert_frame_equal(graph.table(spec).select(same), before[spec.name].select(same))
    for name in names:
        spec = next(s for s in DATA if s.name == name)
        assert open_tables(graph.settings).torn_entries(spec), "a person can still look at it"
    requests = len(graph.exchange.requests)
    load_history(graph.settings, graph.instance, FIRST_DAY, LAST)
    assert len(graph.exchange.requests) == requests


def tear(table: Path) -> None:
    """Cut the newest entry of the table's log to 100 bytes, as a power cut does."""
    newest = max((table / "_delta_log").glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:100])
