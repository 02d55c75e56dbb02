"""The card for sharing: what it says, that others may embed it, that the page names it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from dash_server import context_at
from flask.testing import FlaskClient

from btc_assets.settings import load
from btc_dash.app import create_app


def said(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_card_says_day_range_and_record_and_may_be_embedded(client: FlaskClient) -> None:
    answer = client.get("/card.svg")
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    lines = said(answer.get_data(as_text=True))
    assert lines[0] == "Bitcoin in 14 days, at the end of 5 Dec 2026"
    assert lines[1].count("$") == 2
    assert any(line.startswith("Yesterday, 21 Nov 2026: $") for line in lines)
    again = client.get("/card.svg", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_the_card_answers_what_its_address_asks_or_says_why_not(client: FlaskClient) -> None:
    lines = said(client.get("/card.svg?days=30&model=lstm&as_of=2026-11-01").get_data(as_text=True))
    assert lines[0] == "Bitcoin on 1 Dec 2026"
    assert any("1 Nov 2026" in line for line in lines)
    refused = client.get("/card.svg?days=999")
    assert (refused.status_code, refused.mimetype) == (400, "application/problem+json")
    assert "90" in refused.get_json()["errors"]["days"]


def test_the_page_names_its_card_for_those_who_share_it(client: FlaskClient) -> None:
    page = client.get("/", base_url="https://forecast.example").get_data(as_text=True)
    assert '<meta property="og:image" content="https://forecast.example/card.svg">' in page
    assert '<meta property="og:title" content="BTC Forecast">' in page
    page = client.get("/?days=30&view=candles", base_url="https://forecast.example").get_data(as_text=True)
    assert 'content="https://forecast.example/card.svg?days=30&amp;view=candles">' in page


def test_a_card_without_a_forecast_says_what_is_missing_and_another_coin_is_named(tmp_path: Path) -> None:
    settings = load({"BTC_SYMBOL": "ETHUSDT"}, data_dir=str(tmp_path))
    client = create_app(context=context_at(settings)).server.test_client()
    lines = said(client.get("/card.svg").get_data(as_text=True))
    assert lines[:2] == ["ETH forecast", "No prices yet"]
    assert '<meta property="og:title" content="ETH Forecast">' in client.get("/").get_data(as_text=True)
