"""The whole graph with its tables and models in Hopsworks, and nothing else changed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest
from exchange import Exchange
from graph_environment import LAST, GraphEnvironment, point_settings_at

from btc_assets.contracts import FORECASTS, HORIZONS, MODELS, RAW_KLINES
from btc_assets.launch import open_instance
from btc_assets.market.calendar import FIRST_DAY
from btc_assets.settings import load

pytestmark = pytest.mark.hopsworks


def test_the_graph_runs_on_hopsworks_with_two_settings_changed(
    hopsworks_server, hopsworks_project, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.list_market(FIRST_DAY, LAST)
    exchange.clock = dt.datetime.now(dt.UTC)
    point_settings_at(monkeypatch, exchange, tmp_path / "data")
    # The client's display lasts half a second a read, and it sleeps five after each upload of a model.
    monkeypatch.setattr("hopsworks_common.util._loading_animation", lambda *_: None)
    monkeypatch.setattr("hsml.engine.model_engine.time", SimpleNamespace(sleep=lambda _: None))
    for name, value in {
        "BTC_STORE": "hopsworks",
        "BTC_REGISTRY": "hopsworks",
        "BTC_HOPSWORKS_HOST": hopsworks_server.host,
        "BTC_HOPSWORKS_PROJECT": hopsworks_server.project,
        "BTC_HOPSWORKS_API_KEY": hopsworks_server.api_key,
        "BTC_REFIT_EVERY": "200",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load()
    with open_instance(settings) as instance:
        graph = GraphEnvironment(exchange, settings, instance)
        graph.run("market_history", FIRST_DAY, LAST)
        graph.register(LAST, LAST)
        graph.run("walk_forward", LAST, LAST)
        forecasts = graph.table(FORECASTS)
        assert forecasts.height == HORIZONS * len(MODELS)
        graph.run("walk_forward", LAST, LAST)
        assert graph.table(FORECASTS).equals(forecasts)
        view = "/featureview/engineered_features_view/version/1/query/batch"
        assert any(view in path for _, path in hopsworks_server.calls), "training reads through the view"
        assert {m["featureView"]["version"] for m in hopsworks_server.models.all.values()} == {1}
        assert graph.table(RAW_KLINES).height == (LAST - FIRST_DAY).days + 1
    assert not (tmp_path / "data" / "real" / "tables").exists()
