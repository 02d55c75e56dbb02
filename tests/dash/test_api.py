from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import dash_data
import pytest
import schemathesis
from dash import Dash
from dash_server import context_at
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from btc_assets.contracts import LEVELS, QUANTILES
from btc_assets.errors import StorageError
from btc_assets.settings import load
from btc_dash.app import create_app
from btc_dash.pages.routing import PAGES


def test_a_forecast_has_the_contract_s_names(client: FlaskClient) -> None:
    body = client.get("/api/v1/forecast?days=3&model=mlp").get_json()
    assert body["origin_date"] == dash_data.NEWEST.isoformat()
    assert body["model"] == "mlp"
    assert body["levels"] == list(LEVELS)
    assert [day["horizon"] for day in body["forecast"]] == [1, 2, 3]
    assert set(QUANTILES) <= set(body["forecast"][0])
    assert body["forecast"][0]["close"] is None
    assert (body["computed"], body["backfilled"], body["simulated"]) == (False, False, False)


def test_a_past_forecast_tells_what_happened(client: FlaskClient) -> None:
    body = client.get("/api/v1/forecast?days=2&as_of=2026-11-01").get_json()
    assert all(day["close"] > 0 for day in body["forecast"])


def test_the_same_forecast_as_csv(client: FlaskClient) -> None:
    response = client.get("/api/v1/forecast?days=5&format=csv")
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert response.mimetype == "text/csv"
    assert "btc-forecast-ensemble-2026-11-21-5d.csv" in response.headers["Content-Disposition"]
    assert len(rows) == 5
    assert float(rows[0]["q025"]) < float(rows[0]["q975"])
    assert rows[0]["close"] == ""


def test_csv_and_json_have_the_same_columns_and_values(client: FlaskClient) -> None:
    address = "/api/v1/forecast?days=3&as_of=2026-11-01"
    body = client.get(address).get_json()
    text = client.get(f"{address}&format=csv").get_data(as_text=True)
    for row, day in zip(csv.DictReader(io.StringIO(text)), body["forecast"], strict=True):
        assert set(row) == set(day) | {"model", "origin_date"}
        assert row["target_date"] == day["target_date"]
        assert all(float(row[name]) == round(day[name], 2) for name in (*QUANTILES, "close"))


@pytest.mark.parametrize("query", ["&".join(f"a{n}=1" for n in range(40)), "days=7&" * 40])
def test_more_parameters_than_anyone_means_are_no_default_question(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/v1/forecast?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/nosuchpage", "/robots.txt", "/.env", "/API/v1/forecast", "/api//v1/forecast", "/health/"]
)
def test_an_address_that_is_none_is_404_with_a_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    for page in PAGES:
        assert client.get(page).status_code == 200


@pytest.mark.parametrize("method", ["get", "post", "options", "delete"])
@pytest.mark.parametrize("path", ["/api/v1/forcast", "/api/v1/forecast/", "/api/v2/x", "/api", "/api/"])
def test_an_address_that_is_not_there_is_a_problem(client: FlaskClient, method: str, path: str) -> None:
    """It once answered 200 with the page's HTML."""
    response = getattr(client, method)(path)
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
    if path == "/api/v1/forcast":
        assert "did you mean /api/v1/forecast?" in response.get_json()["detail"]


@pytest.mark.parametrize("method", ["post", "put", "delete", "options", "patch"])
@pytest.mark.parametrize("name", ["forecast", "scores", "health", "openapi.json"])
def test_other_methods_are_a_problem_that_names_those_allowed(
    client: FlaskClient, method: str, name: str
) -> None:
    response = getattr(client, method)(f"/api/v1/{name}")
    assert (response.status_code, response.mimetype) == (405, "application/problem+json")
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_client_that_has_it_already_gets_304(client: FlaskClient) -> None:
    first = client.get("/api/v1/forecast?days=3")
    assert "max-age=60" in first.headers["Cache-Control"]
    again = client.get("/api/v1/forecast?days=3", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert client.get("/api/v1/forecast?days=4").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=1.5", "days"), ("days=7&days=8", "days"), ("model=oracle", "model"),
     ("as_of=2026-02-30", "as_of"), ("format=xml", "format"), ("dayz=7", "dayz"), ("days=", "days"),
     ("vintage=", "vintage"), ("as_of=", "as_of"), ("model=", "model"), ("span=50", "span")],
)  # fmt: skip
def test_bad_parameters_are_named_in_a_problem(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"/api/v1/forecast?{query}")
    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert field in response.get_json()["errors"]


@pytest.mark.parametrize("day", ["2000-01-01", "2030-01-01", "2024-01-01"])
def test_a_day_without_a_forecast_is_404(client: FlaskClient, day: str) -> None:
    response = client.get(f"/api/v1/forecast?as_of={day}")
    assert response.status_code == 404
    assert response.get_json()["title"] == "No forecast from that day"


def test_scores_are_shares_and_counts(client: FlaskClient) -> None:
    body = client.get("/api/v1/scores?days=7&model=ensemble").get_json()
    (row,) = body["scores"]
    assert row["horizon"] == 7
    assert row["forecasts"] == 53
    assert 0 <= row["inside_80"] <= 1
    assert len(client.get("/api/v1/scores").get_json()["scores"]) == 59 * 6


def test_health_says_how_old_the_data_is(client: FlaskClient) -> None:
    body = client.get("/api/v1/health").get_json()
    assert body["status"] == "ok"
    assert body["newest_close"] == body["newest_origin"] == dash_data.NEWEST.isoformat()
    assert body["seconds_since_close"] == 2 * 3600 + 5 * 60
    assert client.get("/health").data == b"OK"


def test_W5_an_empty_store_is_unavailable_and_says_what_is_missing(tmp_path: Path) -> None:
    client = create_app(context=context_at(load({}, data_dir=str(tmp_path)))).server.test_client()
    assert client.get("/api/v1/health").status_code == 503
    assert client.get("/health").status_code == 200
    answer = client.get("/api/v1/forecast")
    assert answer.status_code == 404
    assert answer.get_json()["title"] == "No prices yet"
    assert client.get("/api/v1/scores").get_json()["scores"] == []


def test_a_store_that_fails_is_503(settings: Any) -> None:
    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise StorageError("gone")

    context = context_at(settings)
    broken = replace(context, cache=type(context.cache)(Gone(), "BTCUSDT"))  # type: ignore[arg-type]
    client = create_app(context=broken).server.test_client()
    for path in ("/api/v1/forecast", "/api/v1/scores", "/api/v1/health"):
        assert client.get(path).status_code == 503


def test_schemathesis_finds_no_difference_between_document_and_server(app: Dash) -> None:
    documented = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app.server)
    operations = [found.ok() for found in documented.get_all_operations()]
    assert {operation.path for operation in operations} == {
        "/api/v1/forecast", "/api/v1/chance", "/api/v1/paths", "/api/v1/scores", "/api/v1/leaderboard",
        "/api/v1/health",
    }  # fmt: skip
    for operation in operations:

        @hypothesis_settings(max_examples=25)
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            # Which parts a question needs depends on its event, which parameters cannot say.
            loose = [positive_data_acceptance] if case.path == "/api/v1/chance" else []
            case.call_and_validate(headers={"Accept-Encoding": "identity"}, excluded_checks=loose)

        holds()
