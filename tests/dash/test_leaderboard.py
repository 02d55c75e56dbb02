"""The leaderboard of the API, the page and the command line are one."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dash_browser import PHONE, BrowserWindows, PageVisit
from flask.testing import FlaskClient
from playwright.sync_api import expect
from plotly.utils import PlotlyJSONEncoder

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.scoring.leaderboard import leaderboard
from btc_assets.scoring.leaderboard_text import facts
from btc_dash.charts.leaderboard import drawn, score_figure
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery
from btc_dash.pages import leaderboard as board_page
from btc_dash.server.rate_limit import RateLimiter, TooManyRequests
from btc_dash.text.leaderboard_text import HEAD, cells, sentences


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


def shown(context: Context, **asked: Any) -> str:
    return json.dumps(board_page.body(context, LeaderboardQuery(**asked)), cls=PlotlyJSONEncoder)


def test_the_page_says_what_can_be_told_with_how_many_outcomes(app: Any, context: Context) -> None:
    with app.server.test_request_context():
        said = shown(context, days=1)
        few = shown(context, days=7, kind="backfilled")
        empty = shown(context)
    assert "These cannot be told apart: MLP, Ensemble" in said
    assert "19 live forecasts of each model, 1 day ahead, made from 2 Nov 2026 to 20 Nov 2026" in said
    assert "Beyond the right edge: No change." in said
    assert "/api/v1/leaderboard?days=1&format=csv" in said
    assert "5 that do not overlap, 10 are needed" in few
    assert "Not the best" not in few
    assert "Nothing to rank yet" in empty
    assert "/leaderboard?kind=backfilled" in empty


def test_the_table_and_the_chart_show_each_model(context: Context) -> None:
    rows = context.cache.read(FORECAST_SCORES).filter(live=True)
    board = leaderboard(rows, 1)
    lines = [cells(standing) for standing in board.standings]
    assert {len(line) for line in lines} == {len(HEAD)}
    assert [line[6] for line in lines] == ["yes"] * 5 + ["no"]
    assert lines[0][7] == "the first"
    figure = score_figure(board.standings)
    assert figure["layout"]["yaxis"]["categoryarray"][-1] == lines[0][0]
    assert len(drawn(board.standings)) == 5
    (dots,) = figure["data"]
    for ratio, low, high in zip(
        dots["x"], dots["error_x"]["arrayminus"], dots["error_x"]["array"], strict=True
    ):
        assert low >= 0 <= high
        assert low + high > 0.01
        assert ratio < 1.2
    assert sentences(leaderboard(rows.clear(), 1), "live") == []


def test_boards_are_computed_at_the_visitor_s_cost_and_kept(app: Any, context: Context) -> None:
    poor = replace(context, limiter=RateLimiter(per_second=0.001, burst=1))
    with app.server.test_request_context():
        shown(poor, days=2, kind="backfilled")
        shown(poor, days=2, kind="backfilled")
        with pytest.raises(TooManyRequests):
            shown(poor, days=3, kind="backfilled")


@pytest.mark.parametrize(("name", "value"), [("days", "0"), ("kind", "all"), ("since", "2000-01-01")])
def test_a_wrong_value_in_the_address_is_named_at_its_field(
    call: Callable[..., dict[str, Any]], name: str, value: str
) -> None:
    form = {"board-days.value": "1", "board-kind.value": "live", "board-since.value": ""}
    search = {"board-address.search": f"?{name}={value}"}
    said = call("board-body.children", "board-address.search", form | search)
    assert value in said[f"board-{name}"]["error"]
    page = call(
        "page.children", "url.pathname", {"url.pathname": "/leaderboard", "url.search": f"?{name}={value}"}
    )
    assert value in json.dumps(page, ensure_ascii=False)
    typed = form | {"board-address.search": "", f"board-{name}.value": value}
    refused = call("board-body.children", f"board-{name}.value", typed)
    assert set(refused) == {"board-days", "board-kind", "board-since"}


@pytest.mark.browser
def test_the_leaderboard_is_reached_from_the_track_record_and_follows_its_form(desk: PageVisit) -> None:
    page = desk.open("/track-record")
    page.get_by_role("link", name="the leaderboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaderboard")
    expect(page).to_have_title("Leaderboard · BTC Forecast")
    expect(page.locator("#board-body")).to_contain_text("Nothing to rank yet")
    page.get_by_label("Days ahead", exact=True).select_option("1")
    expect(page.locator(".summary")).to_contain_text("These cannot be told apart: MLP")
    page.get_by_role("radio", name="Back-filled").check()
    expect(page.locator(".summary")).to_contain_text("40 back-filled forecasts of each model")
    page.get_by_label("Made from this day on").fill("2026-10-20")
    expect(page.locator(".summary")).to_contain_text("13 back-filled forecasts")
    expect(page).to_have_url(re.compile(r"/leaderboard\?days=1&kind=backfilled&since=2026-10-20$"))
    page.get_by_role("link", name="From the first day that all have").click()
    expect(page.locator(".summary")).to_contain_text("40 back-filled forecasts")
    expect(page.get_by_label("Made from this day on")).to_have_value("")
    page.go_back()
    expect(page.locator(".summary")).to_contain_text("13 back-filled forecasts")


@pytest.mark.browser
def test_it_can_be_used_on_a_phone_by_keyboard(windows: BrowserWindows, served: str) -> None:
    with windows.visit(served, PHONE, "dark") as there:
        page = there.open("/leaderboard?days=1")
        days = page.get_by_label("Days ahead", exact=True)
        days.focus()
        page.keyboard.type("3 days")
        expect(page.locator(".summary")).to_contain_text("3 days ahead")
        page.get_by_role("radio", name="Live").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".summary")).to_contain_text("back-filled")
        assert there.axe() == []
        assert there.sideways() <= 0
        assert there.complaints == []
