"""The callbacks over HTTP, as the browser sends them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dash_data
import pytest
from dash import Dash
from dash_server import payload
from flask.testing import FlaskClient

FORM = {
    "days.value": "14",
    "model.value": "ensemble",
    "as-of.value": dash_data.NEWEST.isoformat(),
    "span.value": "50",
    "view.value": "line",
    "address.search": "",
}
ASK = "headline.children"


def test_changing_the_days_changes_everything_that_depends_on_them(call: Any) -> None:
    said = call(ASK, "days.value", FORM | {"days.value": "30"})
    assert said["headline"]["children"].startswith(
        "Bitcoin in 30 days, at the end of 21 Dec 2026: likely between $"
    )
    assert len(said["fan"]["figure"]["data"][0]["x"]) == 31
    assert said["address"]["search"] == "?days=30&model=ensemble"
    assert said["days"]["error"] is None
    assert said["csv"]["href"] == "/api/v1/forecast?days=30&model=ensemble&format=csv"
    assert "value" not in said["days"]


@pytest.mark.parametrize("days", ["", "abc", "0", "-1", "1.5", "1e9", None, float("inf"), ["14"], {"x": 1}])
def test_W1_bad_days_leave_the_page_as_it_is_and_say_why(call: Any, days: object) -> None:
    said = call(ASK, "days.value", FORM | {"days.value": days})
    if days is None:
        assert said["days"]["error"] is None
        return
    assert "a whole number of days from 1 to 90" in said["days"]["error"]
    assert "fan" not in said
    assert "address" not in said


def test_going_back_puts_the_form_where_the_address_says(call: Any) -> None:
    said = call(ASK, "address.search", FORM | {"address.search": "?days=7&model=lstm&view=candles"})
    assert said["days"]["value"] == "7"
    assert said["model"]["value"] == "lstm"
    assert said["view"]["value"] == "candles"
    assert "address" not in said


def test_an_as_of_in_the_past_tells_what_happened(call: Any) -> None:
    said = call(ASK, "as-of.value", FORM | {"as-of.value": "2026-11-01"})
    assert said["hindsight"]["children"].startswith("What happened: Bitcoin closed at $")
    assert "as_of=2026-11-01" in said["address"]["search"]


@pytest.mark.parametrize("other", [{"as-of.value": "2026-11-01"}, {"model.value": "lstm"}])
def test_why_it_is_so_wide_is_offered_of_the_forecast_that_is_explained(
    call: Any, other: dict[str, str]
) -> None:
    assert call(ASK, "model.value", FORM)["wide"]["className"] == "button"
    assert call(ASK, "model.value", FORM | other)["wide"]["className"] == "hidden"


def test_an_origin_before_any_model_keeps_the_page_and_says_why(call: Any) -> None:
    said = call(ASK, "as-of.value", FORM | {"as-of.value": "2024-01-01"})
    assert "none can be computed" in said["as-of"]["error"]
    assert "fan" not in said


def test_the_track_record_answers_for_each_horizon(call: Any) -> None:
    values = {
        "track-days.value": "3",
        "track-model.value": "mlp",
        "track-kind.value": "live",
        "track-address.search": "",
    }
    said = call("track-body.children", "track-days.value", values)
    text = json.dumps(said["track-body"]["children"])
    assert "live forecasts 3 days ahead" in text
    assert said["track-address"]["search"] == "?days=3&model=mlp&kind=live"


@pytest.mark.parametrize("pathname", ["/", "/track-record", "/models", "/about"])
def test_every_page_renders(call: Any, pathname: str) -> None:
    page = call("page.children", "url.pathname", {"url.pathname": pathname, "url.search": ""})["page"][
        "children"
    ]
    assert page["props"]["className"] in {"forecast", "track-record", "models", "about"}


@pytest.mark.parametrize("pathname", ["/nowhere", "/../etc/passwd", None, 5, ["/"], {"a": "/"}])
def test_an_unknown_address_is_not_repeated(call: Any, pathname: object) -> None:
    page = call("page.children", "url.pathname", {"url.pathname": pathname, "url.search": ""})
    assert "Page not found" in json.dumps(page)
    assert "passwd" not in json.dumps(page)


def test_W3_script_in_the_address_comes_back_as_text_only(call: Any) -> None:
    search = "?days=<script>alert(1)</script>&model=<img src=x onerror=alert(1)>"
    page = call("page.children", "url.pathname", {"url.pathname": "/", "url.search": search})
    assert "onerror" not in json.dumps(page["page"]["children"]["props"]["children"][2:])
    assert "dangerously" not in json.dumps(page)


FORGED: list[Any] = [
    {},
    [],
    "text",
    5,
    {"output": "nowhere.children"},
    {"output": ["headline"]},
    {"output": "page.children", "inputs": "url", "outputs": {}},
    {"output": "page.children", "inputs": [{"id": "url", "property": "href", "value": 1}], "state": []},
    {"output": "page.children", "inputs": [], "state": [], "changedPropIds": []},
]


@pytest.mark.parametrize("body", FORGED)
def test_W2_a_forged_payload_is_refused_without_a_traceback(client: FlaskClient, body: Any) -> None:
    response = client.post("/_dash-update-component", json=body)
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert "Traceback" not in response.get_data(as_text=True)


def test_W2_broken_and_deeply_nested_json_is_refused(client: FlaskClient) -> None:
    for body in (b"{", b"[" * 50_000, b"\xff\xfe", b'{"output": NaN}'):
        response = client.post("/_dash-update-component", data=body, content_type="application/json")
        assert response.status_code == 400


def test_W2_outputs_that_are_not_the_callback_s_are_refused(app: Dash, client: FlaskClient) -> None:
    body = payload(app, "page.children", "url.pathname", {"url.pathname": "/"})
    for outputs in ([], [{"id": "x", "property": "children"}], {"id": "x"}, "page", None, 7):
        response = client.post("/_dash-update-component", json=body | {"outputs": outputs})
        assert response.status_code == 400, outputs
        assert "Traceback" not in response.get_data(as_text=True)


def test_W4_a_hundred_users_at_once_each_get_their_own_answer(app: Dash) -> None:
    def ask(number: int) -> str:
        days = str(1 + number % 90)
        body = payload(app, ASK, "days.value", FORM | {"days.value": days})
        response = app.server.test_client().post("/_dash-update-component", json=body)
        assert response.status_code == 200
        headline: str = response.get_json()["response"]["headline"]["children"]
        return headline

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(100)))
    for number, headline in enumerate(answers):
        days = 1 + number % 90
        when = "at the end of today," if days == 1 else f"in {days} days,"
        assert headline.startswith(f"Bitcoin {when}")


WRONG = {
    "days": "0",
    "model": "oracle",
    "start": "later",
    "span": "51",
    "view": "bars",
    "as_of": "2000-01-01",
}


@pytest.mark.parametrize(("name", "value"), list(WRONG.items()))
def test_a_wrong_value_in_the_address_is_named_at_its_field(call: Any, name: str, value: str) -> None:
    """Only ``days`` and ``as_of`` were; the others were silently replaced."""
    control = {"as_of": "as-of"}.get(name, name)
    said = call(ASK, "address.search", FORM | {"address.search": f"?{name}={value}"})
    assert value in said[control]["error"]
    assert "fan" in said
    address = {"url.pathname": "/", "url.search": f"?{name}={value}"}
    assert said[control]["error"] in _errors(call("page.children", "url.pathname", address))


@pytest.mark.parametrize(("name", "value"), [("days", "0"), ("model", "oracle"), ("kind", "new")])
def test_a_wrong_value_in_the_track_records_address_is_named_at_its_field(
    call: Any, name: str, value: str
) -> None:
    state = {"track-days.value": "14", "track-model.value": "ensemble", "track-kind.value": "all"}
    search = {"track-address.search": f"?{name}={value}"}
    said = call("track-body.children", "track-address.search", state | search)
    assert value in said[f"track-{name}"]["error"]
    address = {"url.pathname": "/track-record", "url.search": f"?{name}={value}"}
    assert said[f"track-{name}"]["error"] in _errors(call("page.children", "url.pathname", address))


def _errors(page: Any) -> list[str]:
    """The messages at the fields of a page."""
    if isinstance(page, list):
        return [text for part in page for text in _errors(part)]
    if not isinstance(page, dict):
        return []
    own = [page["error"]] if isinstance(page.get("error"), str) else []
    return own + [text for part in page.values() for text in _errors(part)]
