"""What the home page shows of a first start, from the candles to the first issued forecast."""

from __future__ import annotations

from pathlib import Path

import dash_data
import polars as pl
import pytest
from dash_server import context_at

from btc_assets.contracts import QUANTILES, RAW_KLINES
from btc_assets.io import progress
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.settings import load
from btc_dash.app import create_app
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.first_forecast import first_forecast
from btc_dash.data.forecasting import ForecastResult
from btc_dash.data.query import Question
from btc_dash.pages import routing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with candles alone."""
    dash_data.fill(tmp_path / "real", origins=0)
    return tmp_path / "real"


@pytest.fixture
def context(root: Path) -> Context:
    return context_at(load({}, data_dir=str(root.parent)))


def shown(context: Context, search: str = "") -> str:
    app = create_app(context=context)
    with app.server.test_request_context("/"):
        return str(routing.render(context, "/", search))


def found(context: Context) -> ForecastResult:
    first = first_forecast(context, Question())
    assert first is not None
    return first


def test_it_is_the_forecast_that_the_strongest_baseline_will_issue(context: Context) -> None:
    forecast = found(context).whole
    klines = market.candles(context.cache)
    due = baseline_forecasts(klines, [dash_data.NEWEST]).filter(pl.col("model") == "mixture_walk")
    assert forecast.quantiles.tolist() == due.select(QUANTILES).to_numpy().tolist()
    assert (forecast.origin, forecast.model) == (dash_data.NEWEST, "mixture_walk")


def test_it_is_labelled_and_gives_way_to_what_the_networks_issue(context: Context, root: Path) -> None:
    page = shown(context)
    assert "the mixture random walk, the strongest forecast that needs no fitting" in page
    assert "Not part of the record" in page
    dash_data.fill(root, origins=3)
    later = context_at(load({}, data_dir=str(root.parent)))
    assert first_forecast(later, Question()) is None
    assert "first-label" not in shown(later)


def test_the_days_of_the_address_are_taken(context: Context) -> None:
    assert "Bitcoin in 30 days" in shown(context, "?days=30")


def test_the_page_says_which_step_the_networks_have_come_to(
    context: Context, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_plan", progress.Plan({"loading": 1.0, "fitting the LSTM": 3.0}))
    progress.report(str(root), "fitting the LSTM", 0.5, "vintage of 2026-11-20")
    assert "Step 2 of 2: fitting the LSTM (62" in shown(context)


def test_with_too_few_candles_the_page_only_waits(tmp_path: Path) -> None:
    dash_data.fill(tmp_path / "real", origins=0)
    settings = load({}, data_dir=str(tmp_path))
    context = context_at(settings)
    few = context.cache.read(RAW_KLINES).tail(100)
    context.cache.keep(RAW_KLINES, "candles", lambda: few)
    assert first_forecast(context, Question()) is None
    assert "No forecasts yet" in shown(context)
