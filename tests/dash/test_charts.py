from __future__ import annotations

import datetime as dt
import json
from typing import Any

import dash_data
import pytest
from dash._utils import to_json

from btc_dash.charts import track_record as record_charts
from btc_dash.charts.fan import LEGEND, fan_figure
from btc_dash.charts.vintages import staircase
from btc_dash.data import market, track_record
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, forecast_for
from btc_dash.data.query import Question
from btc_dash.pages import forecast_chart


def asked(context: Context, **question: Any) -> ForecastResult:
    found = forecast_for(context, Question(**question), "test")
    assert isinstance(found, ForecastResult)
    return found


def drawn(a: ForecastResult) -> dict[str, Any]:
    return fan_figure(a.past, a.forecast, a.after, a.question.view)


def by_uid(figure: dict[str, Any]) -> dict[str, Any]:
    return {trace["uid"]: trace for trace in figure["data"]}


def test_the_fan_starts_at_the_last_close_and_opens_evenly(context: Context) -> None:
    a = asked(context, days=30)
    traces = by_uid(drawn(a))
    for edge in ("band50", "band80", "band95", "band95low", "median"):
        assert traces[edge]["y"][0] == round(a.last_close, 2)
        assert len(traces[edge]["x"]) == len(traces[edge]["y"]) == 31
    at_end = [
        traces[t]["y"][-1]
        for t in ("band95low", "band80low", "band50low", "median", "band50", "band80", "band95")
    ]
    assert at_end == sorted(at_end)


def test_the_line_at_now_stands_on_the_origin(context: Context) -> None:
    layout = drawn(asked(context))["layout"]
    assert layout["shapes"][0]["x0"] == dash_data.NEWEST.isoformat()
    assert "21 Nov" in layout["annotations"][0]["text"]


@pytest.mark.parametrize(
    ("span", "days"), [("50", 50), ("180", 180), ("365", 365), ("all", dash_data.CANDLES)]
)
def test_history_is_as_long_as_asked(context: Context, span: str, days: int) -> None:
    assert len(by_uid(drawn(asked(context, span=span)))["price"]["x"]) == days


def test_candles_do_not_rely_on_colour(context: Context) -> None:
    candles = by_uid(drawn(asked(context, view="candles")))["candles"]
    assert candles["increasing"]["fillcolor"] != candles["decreasing"]["fillcolor"]
    assert candles["increasing"]["fillcolor"] == "rgba(0,0,0,0)"
    assert len(candles["open"]) == len(candles["x"]) == 50


def test_what_happened_is_drawn_only_for_past_origins(context: Context) -> None:
    assert "actual" not in by_uid(drawn(asked(context)))
    past = asked(context, days=7, as_of=dash_data.NEWEST - dt.timedelta(days=20))
    happened = by_uid(drawn(past))["actual"]
    assert len(happened["x"]) == 8
    assert happened["y"][0] == round(past.last_close, 2)


def test_every_figure_is_plain_json(context: Context) -> None:
    table = track_record.totals(context.cache, "all").filter(model="ensemble")
    figures = [
        drawn(asked(context)),
        record_charts.error_figure(table, "Ensemble"),
        record_charts.coverage_figure(table),
        record_charts.pit_figure(table.row(0, named=True)),
        record_charts.hindsight_figure(
            track_record.hindsight(context.cache, "mlp", 7), market.history(context.cache)
        ),
        record_charts.drift_figure(track_record.coverage_over_time(context.cache, "mlp", 7)),
        staircase(market.vintages(context.cache).filter(model="lstm")),
    ]
    for figure in figures:
        assert set(figure) == {"data", "layout"}
        assert "NaN" not in to_json(figure)
        json.dumps(figure)


def test_every_line_has_an_entry_in_the_legend(context: Context) -> None:
    keys = {key for key, _ in LEGEND}
    past = dt.date(2026, 11, 1)
    uids = {uid.removesuffix("low") for uid in by_uid(drawn(asked(context, as_of=past)))}
    candles = {uid.removesuffix("low") for uid in by_uid(drawn(asked(context, as_of=past, view="candles")))}
    assert uids == keys - {"candle", "over"}
    assert {uid.removesuffix("s") for uid in candles} == keys - {"price", "over"}


@pytest.mark.parametrize(("span", "written"), [("50", 100_000.0), ("all", 5.0)])
def test_the_label_of_what_is_asked_lies_on_its_line_on_either_axis(
    context: Context, span: str, written: float
) -> None:
    layout = forecast_chart.figure(asked(context, span=span, event="above", price="100000"))["layout"]
    assert layout["shapes"][1]["y0"] == 100_000.0
    assert layout["annotations"][1]["y"] == written


def test_a_band_has_two_lines_that_know_what_they_set(context: Context) -> None:
    figure = forecast_chart.figure(asked(context, event="stay", low="80000", high="+20%"))
    assert [line["part"] for line in figure["layout"]["meta"]["lines"]] == ["low", "high"]
    assert [line["price"] for line in figure["layout"]["meta"]["lines"]] == [80_000.0, 109_481.0]


def test_a_refit_held_back_is_marked_once_from_the_very_first_day(context: Context) -> None:
    rows = market.vintages(context.cache).filter(model="lstm", action="held_back")
    marks = staircase(rows)["data"][1]
    assert len(marks["x"]) == rows["reason"].n_unique() > 0
    assert marks["x"][0] == rows["date"][0].isoformat()
