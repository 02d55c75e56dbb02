from __future__ import annotations

import datetime as dt
from pathlib import Path

import dash_data
import numpy as np
import pytest

from btc_assets.contracts import FORECASTS, HORIZONS, LEVELS
from btc_assets.errors import ModelError, NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.settings import Settings, load
from btc_assets.storage.registry.folder import FolderRegistry
from btc_dash.data.cache import TableCache
from btc_dash.data.context import Context, open_context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for
from btc_dash.data.on_demand import KEPT, Forecaster
from btc_dash.data.query import Question
from btc_dash.server.rate_limit import RateLimiter, TooManyRequests
from btc_dash.text import forecast_text
from btc_dash.text import formatting as fmt

ORIGIN = dash_data.NEWEST - dt.timedelta(days=80)
"""A day with a vintage in force and no issued forecast."""


def forecaster(context: Context, settings: Settings, limiter: RateLimiter | None = None) -> Forecaster:
    return Forecaster(context.cache, lambda: FolderRegistry(settings.root), limiter or RateLimiter())


def test_an_origin_that_was_never_issued_is_computed_and_says_so(context: Context) -> None:
    found = forecast_for(context, Question(days=7, model="lstm", as_of=ORIGIN), "someone")
    assert isinstance(found, ForecastResult)
    assert found.forecast.computed
    assert found.forecast.origin == ORIGIN
    assert len(found.forecast.targets) == 7
    assert forecast_text.provenance(found).startswith("Computed now for you by the LSTM")
    assert "Issued on" not in forecast_text.provenance(found)


def test_an_issued_forecast_is_never_computed_again(context: Context) -> None:
    found = forecast_for(context, Question(), "someone")
    assert isinstance(found, ForecastResult)
    assert not found.forecast.computed
    assert forecast_text.provenance(found).startswith("Issued on 22 Nov 2026, 00:06 UTC")


def test_what_is_computed_is_a_forecast(context: Context, settings: Settings) -> None:
    made = {m: forecaster(context, settings).forecast(m, ORIGIN, "a") for m in ("mlp", "lstm", "ensemble")}
    for forecast in made.values():
        assert forecast.quantiles.shape == (HORIZONS, len(LEVELS))
        assert np.isfinite(forecast.quantiles).all()
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
        assert forecast.vintage <= ORIGIN


def test_M8_later_candles_do_not_change_it(context: Context, settings: Settings, tmp_path: Path) -> None:
    before = forecaster(context, settings).forecast("mlp", ORIGIN, "a").quantiles
    tables = dash_data.fill(tmp_path / "real", origins=60)
    cut = dash_data.klines().filter(date=ORIGIN + dt.timedelta(days=1)).with_columns(close=1e5, high=2e5)
    from btc_assets.contracts import RAW_KLINES

    tables.upsert(RAW_KLINES, cut)
    other = open_context(load({}, data_dir=str(tmp_path)))
    assert (other.forecaster.forecast("mlp", ORIGIN, "a").quantiles == before).all()


def test_a_day_whose_features_the_graph_has_not_derived_yet_is_computed_all_the_same(tmp_path: Path) -> None:
    tables = dash_data.fill(tmp_path / "real", origins=8)
    newest = tables.read(ENGINEERED_FEATURES, ENGINEERED_FEATURES.key, start=dash_data.NEWEST - DAY)
    tables.delete_keys(ENGINEERED_FEATURES, newest)
    context = open_context(load({}, data_dir=str(tmp_path)))
    found = context.forecaster.forecast("ensemble", dash_data.NEWEST, "a")
    assert np.isfinite(found.quantiles).all()


def test_it_is_computed_once_and_kept_within_a_bound(context: Context, settings: Settings) -> None:
    mine = forecaster(context, settings, RateLimiter(burst=KEPT + 20))
    first = mine.forecast("mlp", ORIGIN, "a")
    assert mine.forecast("mlp", ORIGIN, "a") is first
    for back in range(KEPT + 5):
        mine.forecast("mlp", dash_data.NEWEST - dt.timedelta(days=back), "a")
    assert len(mine._kept) == KEPT


def test_a_client_s_computing_is_limited_and_kept_answers_are_free(
    context: Context, settings: Settings
) -> None:
    mine = forecaster(context, settings, RateLimiter(per_second=0.001, burst=1))
    mine.forecast("mlp", ORIGIN, "a")
    for _ in range(5):
        mine.forecast("lstm", ORIGIN, "a")
    with pytest.raises(TooManyRequests):
        mine.forecast("mlp", ORIGIN - dt.timedelta(days=1), "a")


def test_a_day_without_a_model_in_force_says_so_without_paths(context: Context, settings: Settings) -> None:
    day = dash_data.NEWEST - dt.timedelta(days=400)
    with pytest.raises(ModelError):
        forecaster(context, settings).forecast("mlp", day, "a")
    found = forecast_for(context, Question(as_of=day), "a")
    assert isinstance(found, NoForecast)
    assert "no sound model was in force then" in found.text
    assert settings.root not in found.text


def test_another_vintage_can_be_asked_and_is_never_taken_for_the_record(context: Context) -> None:
    older = dash_data.week_of(dash_data.NEWEST - dt.timedelta(days=21))
    found = forecast_for(context, Question(model="mlp", vintage=str(older)), "a")
    assert isinstance(found, ForecastResult)
    assert found.forecast.vintage == older
    assert found.forecast.computed
    assert f"fitted on prices to {fmt.day(older)}" in forecast_text.provenance(found)
    again = forecast_for(context, Question(model="mlp"), "a")
    assert isinstance(again, ForecastResult)
    assert not again.forecast.computed


def test_both_networks_of_the_ensemble_are_asked_for_the_vintage(context: Context) -> None:
    never_lstm = next(
        week
        for week in (dash_data.week_of(dash_data.NEWEST) - dt.timedelta(weeks=n) for n in range(8))
        if (week.toordinal() // 7) % 5 == 0
    )
    found = forecast_for(context, Question(model="ensemble", vintage=str(never_lstm)), "a")
    assert isinstance(found, NoForecast)
    assert found.text == f"The LSTM never had a vintage {never_lstm} in force."
    assert isinstance(
        forecast_for(context, Question(model="mlp", vintage=str(never_lstm)), "a"), ForecastResult
    )


def test_a_vintage_never_forecasts_what_it_has_seen(context: Context) -> None:
    newer = dash_data.week_of(dash_data.NEWEST)
    origin = newer - dt.timedelta(days=1)
    found = forecast_for(context, Question(model="mlp", as_of=origin, vintage=str(newer)), "a")
    assert isinstance(found, NoForecast)
    assert f"has seen prices after {origin}" in found.text


def test_a_day_without_a_candle_says_so(context: Context, settings: Settings) -> None:
    with pytest.raises(NotEnoughHistory):
        forecaster(context, settings).forecast("mlp", dt.date(2018, 2, 8), "a")


def test_T5_a_damaged_vintage_is_refused_not_used(tmp_path: Path) -> None:
    tables = dash_data.fill(tmp_path / "real", origins=8)
    for graph in (tmp_path / "real").glob("models/mlp/*/model.onnx"):
        graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    settings = load({}, data_dir=str(tmp_path))
    cache = TableCache(tables, dash_data.SYMBOL)
    mine = Forecaster(cache, lambda: FolderRegistry(settings.root), RateLimiter())
    with pytest.raises(ModelError):
        mine.forecast("mlp", dash_data.NEWEST - dt.timedelta(days=12), "a")
    assert tables.read(FORECASTS).height
