"""Models, forecasts and scores through the real jobs: determinism, the ledger, no look-ahead."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    BASELINES,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    HORIZONS,
    MODELS,
    QUANTILES,
    RAW_KLINES,
    VINTAGES_IN_FORCE,
)
from btc_assets.factory import open_tables
from btc_assets.launch import RunFailed
from btc_assets.market.calendar import DAY, FIRST_DAY

FIRST = LAST - 2 * DAY
DAYS = 3
QUESTIONS = 16
"""Standard ones about one horizon."""


NEEDED = ["mlp_model", "lstm_model", "forecasts"]
"""What a forecast takes, once there are features."""


def content(graph: GraphEnvironment) -> pl.DataFrame:
    return graph.table(FORECASTS).drop("issued_at")


def test_every_origin_has_ninety_horizons_of_every_model(forecast: GraphEnvironment) -> None:
    counts = forecast.table(FORECASTS).group_by("origin_date", "model").len()
    assert sorted(counts["len"].unique()) == [HORIZONS]
    assert counts.height == DAYS * len(MODELS)
    assert forecast.table(BASELINE_FORECASTS).height == DAYS * len(BASELINES) * HORIZONS


def test_C4_a_range_gives_the_bytes_that_single_days_give(forecast: GraphEnvironment) -> None:
    whole = content(forecast)
    tables = open_tables(forecast.settings)
    keys = forecast.table(FORECASTS).select(FORECASTS.key)
    tables.delete_keys(FORECASTS, keys)
    for day in (LAST, FIRST, FIRST + DAY):
        forecast.run("walk_forward", day, day, NEEDED)
    assert content(forecast).equals(whole)


def test_C4_T8_running_a_day_again_changes_nothing(forecast: GraphEnvironment) -> None:
    before, version = forecast.table(FORECASTS), forecast.version(FORECASTS)
    forecast.run("walk_forward", LAST, LAST, NEEDED)
    assert forecast.table(FORECASTS).equals(before)
    assert forecast.version(FORECASTS) == version
    assert "1 unchanged" in forecast.metadata("forecasts", LAST)["ledger"]


def test_M8_changing_the_future_changes_no_byte_of_a_forecast(forecast: GraphEnvironment) -> None:
    """Every candle after the origins is altered, loaded, and the origins are forecast again."""
    before = content(forecast), forecast.table(VINTAGES_IN_FORCE)
    for day in list(forecast.exchange.rows):
        if day > LAST:
            price = str(float(forecast.exchange.rows[day][4]) * 1.7)
            forecast.exchange.restate(day, open=price, high=price, low=price, close=price)
    newest = max(forecast.exchange.rows)
    forecast.run("market_history", LAST + DAY, newest)
    forecast.run("walk_forward", FIRST, LAST, ["engineered_features", *NEEDED])
    assert content(forecast).equals(before[0])
    assert forecast.table(VINTAGES_IN_FORCE).equals(before[1])
    assert forecast.table(RAW_KLINES)["date"].max() == newest


def test_scores_fill_in_as_targets_mature(forecast: GraphEnvironment) -> None:
    forecast.run(
        "daily_partition", LAST + DAY, LAST + DAY, ["raw_klines", "engineered_features", "forecast_scores"]
    )
    scores = forecast.table(FORECAST_SCORES, start=LAST + DAY)
    horizons = scores.filter(pl.col("model") == "ensemble").sort("horizon")["horizon"].to_list()
    assert horizons == [1, 2, 3]
    assert set(scores["model"]) == {*MODELS, *BASELINES}
    assert not scores["live"].any()


def test_C2_days_run_in_any_order_give_the_same_scores(forecast: GraphEnvironment) -> None:
    """After an outage the schedule runs the newest day first, and the sensor the days before it."""
    days = [LAST + n * DAY for n in range(1, 6)]
    forecast.register(FIRST, days[-1])
    for first, last in ((4, 4), (0, 2), (3, 3)):
        forecast.run("daily_partition", days[first], days[last])

    def scores() -> tuple[pl.DataFrame, pl.DataFrame]:
        found = forecast.table(FORECAST_SCORES, start=days[0]).drop("live")
        return found, forecast.table(CHANCE_SCORES, start=days[0])

    scored, answered = scores()
    pairs = scored.filter(pl.col("model") == "ensemble").select("origin_date", "target_date").rows()
    assert len(pairs) == 5 * DAYS + 4 + 3 + 2 + 1
    asked = answered.filter(model="ensemble", kind="touch", move=0.05).sort("horizon", "origin_date")
    next_day, in_a_week = [(day - DAY, 1) for day in days], [(FIRST, 7)]
    assert asked.select("origin_date", "horizon").rows() == [*next_day, *in_a_week]
    assert answered.height == asked.height * len(MODELS) * QUESTIONS
    for spec in (FORECAST_SCORES, CHANCE_SCORES):
        keys = forecast.table(spec).select(spec.key)
        open_tables(forecast.settings).delete_keys(spec, keys)
    forecast.run("walk_forward", days[0], days[-1], ["forecast_scores", "chance_scores"])
    assert scores()[0].equals(scored)
    assert scores()[1].equals(answered)


def test_a_target_nobody_forecast_is_no_error(graph: GraphEnvironment) -> None:
    graph.run("walk_forward", LAST, LAST, ["forecast_scores"])
    assert graph.table(FORECAST_SCORES).is_empty()


def test_a_carried_vintage_costs_no_fit_and_no_tensorflow(forecast: GraphEnvironment) -> None:
    code = f"""
import datetime as dt, sys
from btc_assets.launch import open_instance, run_window
from btc_assets.defs.partitions import Window
from btc_assets.settings import load
with open_instance(load()) as instance:
    start, end = dt.date.fromisoformat("{LAST}"), dt.date.fromisoformat("{LAST + DAY}")
    run_window(instance, "walk_forward", Window(start, end))
print("tensorflow" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr
    assert set(forecast.table(VINTAGES_IN_FORCE, start=LAST)["action"]) <= {"fitted", "carried"}


def test_M7_too_little_history_says_how_much_is_needed(empty: GraphEnvironment) -> None:
    day = FIRST_DAY + 100 * DAY
    empty.run("market_history", FIRST_DAY, day)
    with pytest.raises(RunFailed, match=r"needs? \d+"):
        empty.run("walk_forward", day, day, ["mlp_model"])
    with pytest.raises(RunFailed, match=r"needs \d+ candles before its origin"):
        empty.run("walk_forward", day, day, ["baseline_forecasts"])


def test_C3_a_failed_candle_leaves_no_forecast_that_pretends_to_be_fresh(forecast: GraphEnvironment) -> None:
    day = max(forecast.exchange.rows) + DAY
    with pytest.raises(RunFailed):
        forecast.run("daily_partition", day, day)
    assert forecast.table(FORECASTS)["origin_date"].max() == LAST


def test_forecasts_without_models_say_what_to_run(graph: GraphEnvironment) -> None:
    tables = open_tables(graph.settings)
    tables.ensure_table(VINTAGES_IN_FORCE)
    with pytest.raises(RunFailed, match="materialise mlp_model and lstm_model"):
        graph.run("walk_forward", LAST, LAST, ["forecasts"])


def test_the_quantiles_are_ordered_and_centred_on_the_last_close(forecast: GraphEnvironment) -> None:
    rows = forecast.table(FORECASTS, start=LAST)
    values = rows.select(QUANTILES).to_numpy()
    assert (values[:, 1:] >= values[:, :-1]).all()
    close = forecast.table(RAW_KLINES, start=LAST)["close"][0]
    assert rows.filter(pl.col("horizon") == 1)["q500"].to_list() == pytest.approx(
        [close] * len(MODELS), rel=0.02
    )
    assert rows["issued_at"].min() > dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # type: ignore[operator]
