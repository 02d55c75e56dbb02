"""What the home page says of a forecast: which day, how sure, why it looks as it does, how good it was."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import dash_data
import numpy as np
import pytest
from dash_server import context_at

from btc_assets.settings import load
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for
from btc_dash.data.query import Question
from btc_dash.pages import forecast_chart
from btc_dash.text import forecast_text, record_facts
from btc_dash.text.formatting import SPACE, coin, percent


def found(context: Context, **question: object) -> ForecastResult:
    answer = forecast_for(context, Question.model_validate(question), "someone")
    assert not isinstance(answer, NoForecast)
    return answer


@pytest.mark.parametrize(
    ("days", "late", "said"),
    [
        (14, 0, "Bitcoin in 14 days, at the end of 5 Dec 2026: likely between $"),
        (1, 0, "Bitcoin at the end of today, 22 Nov 2026: likely between $"),
        (14, 3, "Bitcoin in 11 days, at the end of 5 Dec 2026: likely between $"),
        (7, 30, "Bitcoin on 28 Nov 2026: likely between $"),
    ],
)
def test_the_headline_names_the_day_and_counts_from_today(
    context: Context, days: int, late: int, said: str
) -> None:
    now = dash_data.NOW + dt.timedelta(days=late)
    assert forecast_text.headline(found(context, days=days), now).startswith(said)


def test_a_close_that_is_older_than_yesterday_is_named_as_such(context: Context) -> None:
    answer = found(context)
    assert "not yesterday" not in forecast_text.lead(answer, dash_data.NOW)
    late = forecast_text.lead(answer, dash_data.NOW + dt.timedelta(days=2))
    assert "21 Nov 2026. That is not yesterday" in late


def test_the_flat_middle_and_a_range_that_leans_are_explained(context: Context) -> None:
    answer = found(context, days=30)
    assert forecast_text.shape(answer).startswith("The middle line is flat on purpose.")
    assert "reaches further" not in forecast_text.shape(answer)
    prices = answer.forecast.quantiles.copy()
    prices[:, 11:] = answer.last_close * (prices[:, 11:] / answer.last_close) ** 2
    leaning = replace(answer, forecast=replace(answer.forecast, quantiles=np.asarray(prices)))
    assert "reaches further up (+" in forecast_text.shape(leaning)
    assert "rises over 30 days went further than falls" in forecast_text.shape(leaning)


def test_the_record_says_yesterday_inside_or_not_and_how_many_were_backfilled(context: Context) -> None:
    yesterday, inside, against = record_facts.facts(context.cache, "ensemble", 14, dash_data.NOW)
    assert yesterday.label == "Yesterday, 21 Nov 2026"
    assert yesterday.value.endswith(("inside", "outside"))
    assert yesterday.note.startswith(f"80{SPACE}% range issued on 21 Nov 2026, 00:06 UTC: $")
    assert "live" in inside.note
    assert "back-filled" in inside.note
    assert "since their days overlap" in inside.note
    assert "random walk" in against.label


def test_the_record_is_of_live_and_backfilled_alone_where_it_is(tmp_path: Path) -> None:
    dash_data.fill(tmp_path / "real", origins=30, live=0)
    context = context_at(load({}, data_dir=str(tmp_path)))
    _, inside, _ = record_facts.facts(context.cache, "ensemble", 7, dash_data.NOW)
    assert "all back-filled" in inside.note


def test_a_horizon_without_a_record_is_told_and_a_shorter_one_shown(context: Context) -> None:
    """At 60 and 90 days the sentence disappeared."""
    _, inside, _ = record_facts.facts(context.cache, "ensemble", 90, dash_data.NOW)
    assert "10 forecasts 50 days ahead (too few 90 days ahead have come due), counting as 1" in inside.note


def test_the_last_close_is_not_called_yesterday_when_it_is_older(context: Context) -> None:
    late = dash_data.NOW + dt.timedelta(days=3)
    assert record_facts.yesterday(context.cache, "mlp", late).label == "The last close, 21 Nov 2026"


def test_a_copied_link_still_shows_this_forecast_when_newer_ones_are_there(context: Context) -> None:
    assert forecast_chart.permanent_search(found(context)) == "?days=14&model=ensemble&as_of=2026-11-21"


def test_another_forecast_or_the_random_walk_is_drawn_over_the_chart(context: Context) -> None:
    for over in ("mlp", "random_walk"):
        answer = found(context, over=over)
        dashed = [t for t in forecast_chart.figure(answer)["data"] if str(t["uid"]).startswith("over")]
        assert len(dashed) == 2
        assert all(trace["line"]["dash"] == "dash" for trace in dashed)
    assert found(context, over="ensemble").over is None


def test_all_of_history_has_a_logarithmic_axis(context: Context) -> None:
    assert forecast_chart.figure(found(context, span="all"))["layout"]["yaxis"]["type"] == "log"
    assert "type" not in forecast_chart.figure(found(context))["layout"]["yaxis"]


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("BTCUSDT", "Bitcoin"), ("ETHUSDT", "ETH"), ("BTCFDUSD", "Bitcoin")],
)
def test_the_page_names_the_coin_that_is_forecast(symbol: str, name: str) -> None:
    assert coin(symbol) == name


def test_a_number_and_its_per_cent_sign_stay_on_one_line() -> None:
    assert percent(0.8) == "80\N{NO-BREAK SPACE}%"
