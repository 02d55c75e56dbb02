"""Pages and answers of another coin: its own name everywhere, and as many digits as its price needs."""

from __future__ import annotations

import json
from pathlib import Path

import dash_data
import numpy as np
import pytest
from dash_server import context_at, payload

from btc_assets.market.pair import price_text, ticker
from btc_assets.settings import load
from btc_dash.app import create_app

PRICE = 0.0912


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the pages of a coin that costs nine cents hold, as JSON."""
    folder = tmp_path_factory.mktemp("doge")
    with pytest.MonkeyPatch.context() as patch:
        real = dash_data.closes
        patch.setattr(dash_data, "SYMBOL", "DOGEUSDT")
        patch.setattr(dash_data, "closes", lambda *given: np.asarray(real(*given)) * 1e-6)
        dash_data.fill(Path(folder) / "real", origins=30)
    app = create_app(context=context_at(load({}, data_dir=str(folder), symbol="DOGEUSDT")))
    client = app.server.test_client()
    found = {path: client.get(path).get_data(as_text=True) for path in ("/_dash-layout", "/card.svg")}
    for path in ("/", "/track-record", "/models", "/volatility", "/about"):
        asked = payload(app, "page.children", "url.pathname", {"url.pathname": path, "url.search": ""})
        answer = client.post("/_dash-update-component", json=asked)
        assert answer.status_code == 200
        found[path] = json.dumps(answer.get_json(), ensure_ascii=False)
    found["api"] = client.get("/api/v1/chance?event=touch&price=0.1&days=30").get_data(as_text=True)
    return found


def test_D16_no_page_of_another_coin_speaks_of_bitcoin(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert "Bitcoin" not in text, name
        assert "BTC " not in text.replace("BTC_", ""), name
    assert "What are the chances that DOGE" in pages["/"]
    assert "The chance that DOGE touches 0.1 USDT" in pages["api"]


def test_D16_a_price_of_cents_is_shown_to_the_digits_that_tell_something(pages: dict[str, str]) -> None:
    assert "$0.0912" in pages["/"]
    assert "$0 " not in pages["/"]
    assert "$0.00" not in pages["/"]
    assert ",.5f" in pages["/"], "hover and axis of the chart"
    assert '"price": 0.1' in pages["/"], "a round price about a tenth above"


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (91_234.56, "91,235"),
        (999.5, "999.50"),
        (23.456, "23.46"),
        (0.07412, "0.07412"),
        (1.2e-5, "0.00001200"),
    ],
)
def test_D16_prices_have_digits_that_tell_something(price: float, text: str) -> None:
    assert price_text(price) == text


def test_D16_a_coin_is_named_by_its_pair() -> None:
    pairs = {"ETHUSDT": "ETH", "SOLUSDC": "SOL", "ETHBTC": "ETHBTC", "USDT": "USDT"}
    assert {pair: ticker(pair) for pair in pairs} == pairs
