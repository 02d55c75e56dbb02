"""The leaderboard of the API, the page and the command line are one."""

from __future__ import annotations

import csv
import io

import pytest
from flask.testing import FlaskClient

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.scoring.leaderboard import leaderboard
from btc_assets.scoring.leaderboard_text import facts
from btc_dash.data.context import Context


@pytest.mark.parametrize(("kind", "live"), [("live", True), ("backfilled", False)])
@pytest.mark.parametrize("days", [1, 7, None])
def test_the_api_says_what_the_scores_say(
    client: FlaskClient, context: Context, kind: str, live: bool, days: int | None
) -> None:
    body = client.get(f"/api/v1/leaderboard?kind={kind}&days={days or 'mean'}").get_json()
    rows = context.cache.read(FORECAST_SCORES).filter(live=live)
    said = facts(leaderboard(rows, days))
    assert body["models"] == said["models"]
    assert (body["verdict"], body["days"], body["not_ranked"]) == (said["verdict"], said["days"], [])
    assert (body["since"], body["until"]) == tuple(
        None if said[name] is None else said[name].isoformat() for name in ("since", "until")
    )


def test_the_same_board_as_csv(client: FlaskClient) -> None:
    body = client.get("/api/v1/leaderboard?days=1").get_json()
    response = client.get("/api/v1/leaderboard?days=1&format=csv")
    assert "btc-leaderboard-live-1d.csv" in response.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert [row["model"] for row in rows] == [row["model"] for row in body["models"]]
    for row, model in zip(rows, body["models"], strict=True):
        assert set(row) == set(model)
        assert float(row["crps_ratio"]) == model["crps_ratio"]
        assert row["against_best"] == (model["against_best"] or "")


def test_an_empty_board_is_an_answer(client: FlaskClient) -> None:
    body = client.get("/api/v1/leaderboard").get_json()
    assert (body["models"], body["days"], body["since"]) == ([], 0, None)
    text = client.get("/api/v1/leaderboard?format=csv").get_data(as_text=True)
    assert text.startswith("model,crps_ratio,")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=", "days"), ("kind=all", "kind"), ("since=soon", "since"),
     ("since=2026-11-22&days=x", "days"), ("horizon=7", "horizon"), ("format=xml", "format")],
)  # fmt: skip
def test_bad_parameters_are_named_in_a_problem(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"/api/v1/leaderboard?{query}")
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")
    assert field in response.get_json()["errors"]


@pytest.mark.parametrize("day", ["2000-01-01", "2030-01-01"])
def test_a_day_that_no_forecast_can_be_from_is_404(client: FlaskClient, day: str) -> None:
    assert client.get(f"/api/v1/leaderboard?since={day}").status_code == 404
