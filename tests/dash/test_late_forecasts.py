"""Forecasts issued later on their day are neither live nor back-filled, on the page and in the API."""

from __future__ import annotations

import datetime as dt

import dash_data
import polars as pl
import pytest
from dash_server import context_at

from btc_assets.contracts import BASELINE_FORECASTS, CHANCE_SCORES, FORECAST_SCORES, FORECASTS, RAW_KLINES
from btc_assets.market.calendar import DAY
from btc_assets.scoring.scores import score
from btc_assets.settings import load
from btc_dash.app import create_app
from btc_dash.data import chances, track_record
from btc_dash.data.context import Context
from btc_dash.data.query import RecordQuestion
from btc_dash.text.record_facts import facts
from btc_dash.text.record_text import record_sentences

LATE = [dash_data.NEWEST - n * DAY for n in (5, 4, 3)]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Twelve origins: four back-filled, five live, and three of the networks' that came ten hours late."""
    folder = tmp_path_factory.mktemp("late")
    tables = dash_data.fill(folder / "real", origins=12, live=8)
    rows = tables.read(FORECASTS)
    tardy = rows.filter(pl.col("origin_date").is_in(LATE))
    tables.upsert(FORECASTS, tardy.with_columns(pl.col("issued_at") + dt.timedelta(hours=10)))
    issued = pl.concat([tables.read(FORECASTS), tables.read(BASELINE_FORECASTS)])
    hours = dict.fromkeys(rows["origin_date"].unique(), 6)
    tables.upsert(FORECAST_SCORES, score(issued, tables.read(RAW_KLINES), hours))
    answers = tables.read(CHANCE_SCORES)
    tables.upsert(
        CHANCE_SCORES, answers.with_columns(live=pl.col("live") & ~pl.col("origin_date").is_in(LATE))
    )
    return context_at(load({}, data_dir=str(folder)))


def test_each_kind_is_counted_by_itself(late: Context) -> None:
    counts = track_record.counts(late.cache)
    assert counts["all"] == counts["live"] + counts["late"] + counts["backfilled"]
    rows = {k: track_record.totals_by_question(late.cache, k)["ensemble", 1]["n"] for k in counts}
    assert rows == {"all": 11, "live": 4, "late": 3, "backfilled": 4}
    walk = track_record.totals_by_question(late.cache, "late")
    assert ("random_walk", 1) not in walk, "its own forecasts were issued in time"


def test_the_page_and_the_api_show_late_ones_alone(late: Context) -> None:
    said = record_sentences(late.cache, RecordQuestion(days=1, kind="late"))
    assert said[0].startswith("Of 3 late forecasts 1 day ahead made from 16 Nov 2026 to 18 Nov 2026")
    client = create_app(context=late).server.test_client()
    body = client.get("/api/v1/scores?days=1&kind=late").get_json()
    assert [(row["model"], row["forecasts"]) for row in body["scores"]] == [
        ("ensemble", 3), ("lstm", 3), ("mlp", 3),
    ]  # fmt: skip
    assert "4 live, 3 late, 4 back-filled" in facts(late.cache, "ensemble", 1, dash_data.NOW)[1].note


def test_answers_to_questions_go_by_the_same_kinds(late: Context) -> None:
    counted = {
        kind: sum(t.answers for t in chances.past_answers(late.cache, "ensemble", "touch", 1, kind).tenths)
        for kind in ("all", "live", "late", "backfilled")
    }
    assert counted["late"] > 0
    assert counted["all"] == counted["live"] + counted["late"] + counted["backfilled"]
