"""The standard questions through the real jobs: asked of every forecast, and checked."""

from __future__ import annotations

import datetime as dt

import polars as pl
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import CHANCE_SCORES
from btc_assets.defs.checks.chances import (
    dishonest,
    incoherent,
    judged_tenths,
    recent_answers,
    unlike_the_record,
)
from btc_assets.defs.resources import Platform


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


def test_a_day_looks_at_the_answers_of_a_month_and_a_range_at_all(forecast: GraphEnvironment) -> None:
    tables, scores = Platform().tables, forecast.table(CHANCE_SCORES)
    today = scores["target_date"].item(-1)
    earlier = scores.with_columns(pl.col("origin_date", "target_date") - dt.timedelta(days=60))
    assert recent_answers(tables, today + dt.timedelta(days=365), whole=False).equals(scores)
    tables.upsert(CHANCE_SCORES, earlier)
    assert recent_answers(tables, today, whole=False).equals(scores)
    assert recent_answers(tables, today, whole=True).height == 2 * scores.height
