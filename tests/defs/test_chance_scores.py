"""The standard questions through the real jobs: asked of every forecast, scored as their days close."""

from __future__ import annotations

import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import CHANCE_SCORES, MODELS
from btc_assets.defs.checks.chances import dishonest, incoherent, judged_tenths, unlike_the_record
from btc_assets.defs.resources import Platform
from btc_assets.market.calendar import DAY

FIRST = LAST - 2 * DAY
QUESTIONS = 16


@pytest.fixture
def forecast(graph: GraphEnvironment) -> GraphEnvironment:
    """Three origins forecast in one run."""
    graph.register(FIRST, LAST)
    graph.run("walk_forward", FIRST, LAST)
    return graph


def test_answers_are_scored_as_their_days_close_in_any_order(forecast: GraphEnvironment) -> None:
    days = [LAST + n * DAY for n in range(1, 6)]
    forecast.register(FIRST, days[-1])
    for day in (days[4], days[0], days[2], days[1], days[3]):
        forecast.run("daily_partition", day, day)
    scores = forecast.table(CHANCE_SCORES, start=days[0])
    pairs = scores.filter(model="ensemble", kind="touch", move=0.05).sort("horizon", "origin_date")
    week = [(FIRST + n * DAY, 7) for n in range(2)]
    assert pairs.select("origin_date", "horizon").rows() == [
        *((LAST + n * DAY, 1) for n in range(5)),
        *(pair for pair in week if pair[0] + 7 * DAY <= days[-1]),
    ]
    assert scores.height == pairs.height * len(MODELS) * QUESTIONS
    from btc_assets.factory import open_tables

    tables = open_tables(forecast.settings)
    tables.delete_keys(CHANCE_SCORES, forecast.table(CHANCE_SCORES).select(CHANCE_SCORES.key))
    forecast.run("walk_forward", days[0], days[-1], ["chance_scores"])
    assert forecast.table(CHANCE_SCORES, start=days[0]).equals(scores)


def test_nobody_asked_is_no_error(graph: GraphEnvironment) -> None:
    graph.run("walk_forward", LAST, LAST, ["chance_scores"])
    assert graph.table(CHANCE_SCORES).is_empty()


def test_checks_pass_on_what_the_graph_made_and_find_what_it_did_not(forecast: GraphEnvironment) -> None:
    scores = forecast.table(CHANCE_SCORES)
    assert scores["horizon"].unique().to_list() == [1]
    assert incoherent(scores) == []
    assert dishonest(judged_tenths(scores)) == []
    assert unlike_the_record(Platform(), scores) == []
    newest = scores.filter(pl.col("target_date") == pl.col("target_date").max())
    bent = newest.with_columns(chance=pl.col("chance") * 0.5 + 0.25)
    Platform().tables.upsert(CHANCE_SCORES, bent)
    assert f"{bent.height} rows of chance_scores do not follow" in unlike_the_record(Platform(), scores)[0]
    Platform().tables.upsert(CHANCE_SCORES, newest)
    swapped = scores.with_columns(chance=pl.when(pl.col("kind") == "touch").then(0.0).otherwise(0.5))
    assert len(incoherent(swapped)) == swapped.filter(kind="touch").height
