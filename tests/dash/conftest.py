"""A filled store, the site over it, and its server, shared by the tests of the web app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dash_data
import pytest
from dash import Dash
from dash_browser import DESKTOP, BrowserWindows, PageVisit, launch
from dash_server import Served, context_at, payload
from dash_states import States
from flask.testing import FlaskClient
from made_once import made_once
from playwright.sync_api import expect, sync_playwright

from btc_assets.settings import Settings, load
from btc_dash.app import create_app
from btc_dash.data.context import Context


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 60 days of forecasts, 20 of them live, scores and vintages; read it, never write."""
    return made_once(tmp_path_factory, "filled", lambda folder: dash_data.fill(folder / "real"))


@pytest.fixture(scope="session")
def settings(filled: Path) -> Settings:
    """Settings that name the filled folder."""
    return load({}, data_dir=str(filled))


@pytest.fixture(scope="session")
def context(settings: Settings) -> Context:
    """The site over the filled folder, two hours after midnight UTC."""
    return context_at(settings)


@pytest.fixture(scope="session")
def app(context: Context) -> Dash:
    """The app over the filled folder."""
    return create_app(context=context)


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    """An HTTP client without a browser."""
    return app.server.test_client()


Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(app: Dash, client: FlaskClient) -> Call:
    """Calls the callback that has ``output`` among its outputs; gives the changed properties by component."""

    def call(output: str, changed: str, values: dict[str, Any]) -> dict[str, Any]:
        response = client.post("/_dash-update-component", json=payload(app, output, changed, values))
        assert response.status_code == 200, response.get_data(as_text=True)
        body: dict[str, Any] = response.get_json()["response"]
        return body

    return call


@pytest.fixture(scope="session")
def served(app: Dash) -> Iterator[str]:
    """The address of the app over the filled folder."""
    server = Served(app)
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def windows() -> Iterator[BrowserWindows]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield BrowserWindows(chromium)
        chromium.close()


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Iterator[States]:
    every = States(filled, tmp_path_factory.mktemp("states"))
    yield every
    every.stop()


@pytest.fixture
def desk(windows: BrowserWindows, served: str) -> Iterator[PageVisit]:
    """A desktop window on the filled site; whatever the browser complained of fails the test."""
    with windows.visit(served, DESKTOP, "light") as desk:
        yield desk
        assert desk.complaints == []
