from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from dash_server import context_at
from flask.testing import FlaskClient

from btc_assets.settings import Settings
from btc_dash.app import create_app
from btc_dash.data.context import Context
from btc_dash.server.middleware import MAX_BODY

EVERYWHERE = [
    "/", "/track-record", "/models", "/nowhere", "/_dash-layout", "/_dash-dependencies", "/assets/app.css",
    "/health", "/api/v1/forecast", "/api/v1/nowhere", "/api/v1/forecast?days=x",
    "/_dash-component-suites/plotly/package_data/plotly.min.js", "/models/mlp/2020-01-01/loss.png",
]  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_W6_every_response_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert (
        policy["default-src"]
        == policy["frame-ancestors"]
        == policy["object-src"]
        == policy["base-uri"]
        == "'none'"
    )
    assert "unsafe" not in policy["script-src"]
    assert policy["connect-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["X-Request-Id"]
    assert "Strict-Transport-Security" not in headers
    assert "*" not in headers.get("Access-Control-Allow-Origin", "")


def test_W6_hsts_is_sent_over_tls_only(client: FlaskClient) -> None:
    assert client.get("/health", base_url="https://example.org").headers["Strict-Transport-Security"]


def test_W7_an_oversized_body_is_413(client: FlaskClient) -> None:
    response = client.post(
        "/_dash-update-component", data=b"x" * (MAX_BODY + 1), content_type="application/json"
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/"),
        ("PUT", "/api/v1/forecast"),
        ("POST", "/api/v1/health"),
        ("TRACE", "/"),
        ("PATCH", "/models"),
    ],
)
def test_W7_an_odd_method_is_405_and_says_what_is_allowed(
    client: FlaskClient, method: str, path: str
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_an_endless_query_string_is_414(client: FlaskClient) -> None:
    assert client.get("/?" + "a" * 3000).status_code == 414


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/models/mlp/2026-11-15/..%2fmanifest.json",
        "/models/mlp/2026-11-15/manifest.json",
        "/models/..%2f..%2fmlp/2026-11-15/loss.png",
        "/models/mlp/%00/loss.png",
    ],
)
def test_nothing_in_an_address_reaches_a_file(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert b"create_app" not in response.data
    assert b"sha256" not in response.data
    assert response.mimetype != "image/png"


def test_a_picture_of_a_known_vintage_is_served(client: FlaskClient) -> None:
    response = client.get("/models/mlp/2026-11-15/loss.png")
    assert response.status_code == 200
    assert response.data.startswith(b"\x89PNG")
    assert "immutable" in response.headers["Cache-Control"]


def test_an_unexpected_fault_is_500_with_a_number_and_no_details(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty:
        def __getattr__(self, name: str) -> object:
            raise ZeroDivisionError("secret detail")

    context: Context = replace(context_at(settings), cache=Faulty())  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        response = create_app(context=context).server.test_client().get("/api/v1/forecast")
    assert response.status_code == 500
    assert "secret" not in response.get_data(as_text=True)
    assert response.headers["X-Request-Id"] in response.get_json()["detail"]
    assert response.headers["X-Request-Id"] in caplog.text


def test_what_a_visitor_sends_is_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="btc_dash"):
        client.get("/api/v1/forecast?days=canary-secret")
        client.get("/line%0abreak")
        client.get("/nowhere")
    assert "canary" not in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert "GET '/nowhere' 404" in caplog.text, "what is logged is what was answered"


def test_a_proxy_is_believed_only_where_it_is_configured(settings: Settings) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    for proxies, believed in ((0, False), (1, True)):
        context = context_at(settings.model_copy(update={"web_proxies": proxies}))
        headers = create_app(context=context).server.test_client().get("/health", headers=forwarded).headers
        assert ("Strict-Transport-Security" in headers) == believed


def test_assets_may_be_kept_for_long_and_pages_not_at_all(client: FlaskClient) -> None:
    assert "max-age=31536000" in client.get("/assets/app.css").headers["Cache-Control"]
    assert client.get("/_dash-layout").headers["Cache-Control"] == "no-store"


def test_answers_are_compressed(client: FlaskClient) -> None:
    response = client.get("/assets/app.css", headers={"Accept-Encoding": "br, gzip"})
    assert response.headers["Content-Encoding"] in {"br", "gzip", "zstd"}
