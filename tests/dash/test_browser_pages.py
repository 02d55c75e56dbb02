"""Every page and state in a real Chromium: accessible, as wide as the window, no error, no foreign host."""

from __future__ import annotations

import pytest
from dash_browser import DESKTOP, PHONE, BrowserWindows, PageVisit
from dash_states import STATES, States
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

WINDOWS = {"desktop": DESKTOP, "phone": PHONE}


def flawless(there: PageVisit) -> None:
    assert there.axe() == []
    assert there.sideways() <= 0
    assert there.complaints == []


BOTH = pytest.mark.parametrize(("window", "scheme"), [("desktop", "light"), ("phone", "dark")])
"""Each window and each scheme: how wide a page is does not depend on its colours."""


@BOTH
@pytest.mark.parametrize(
    "path",
    ["/?days=30", "/volatility", "/track-record", "/leaderboard?days=1", "/models?model=lstm", "/about"],
)
def test_every_page_is_flawless(
    windows: BrowserWindows, served: str, path: str, window: str, scheme: str
) -> None:
    with windows.visit(served, WINDOWS[window], scheme) as there:
        there.open(path)
        flawless(there)


@BOTH
@pytest.mark.parametrize("state", STATES)
def test_S1_W5_every_state_is_designed(
    windows: BrowserWindows, states: States, state: str, window: str, scheme: str
) -> None:
    with windows.visit(states.url(state), WINDOWS[window], scheme) as there:
        page = there.open(STATES[state].path)
        expect(page.locator("body")).to_contain_text(STATES[state].says)
        assert page.locator("#fan").count() == STATES[state].chart
        assert there.axe() == []
        assert there.sideways() <= 0
        status = "404" if state == "not found" else "503"
        assert [c for c in there.complaints if status not in c] == []


@pytest.mark.parametrize(
    ("state", "before"),
    [("loading", "The first forecast is being made"), ("no forecasts", "Bitcoin in 14 days")],
)
def test_the_page_that_waits_shows_the_forecast_by_itself(
    windows: BrowserWindows, states: States, state: str, before: str
) -> None:
    with windows.visit(states.url(state), DESKTOP, "light") as there:
        page = there.open("/")
        expect(page.get_by_role("heading", level=1)).to_contain_text(before)
        states.finish_loading(state)
        expect(page.locator("#headline")).to_contain_text("Bitcoin in 14 days", timeout=15_000)
        assert there.complaints == []
