"""The home page as a newcomer meets it: the first view, and a server that goes away."""

from __future__ import annotations

import pytest
from dash import Dash
from dash_browser import BrowserWindows, PageVisit
from dash_server import Served
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LAPTOP, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}


@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("path", ["/", "/?days=90"])
def test_statement_days_and_the_whole_chart_are_in_the_first_view(
    windows: BrowserWindows, served: str, window: dict[str, int], path: str
) -> None:
    with windows.visit(served, window, "light", reduced_motion="reduce") as there:
        page = there.open(path)
        for part in ("#headline", "#days", "#fan .plot-container"):
            box = page.locator(part).first.bounding_box()
            assert box is not None
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= window["height"], part
        assert page.locator("#fan .plot-container").bounding_box()["height"] >= 230  # type: ignore[index]


def test_the_home_page_says_each_number_once(desk: PageVisit) -> None:
    page = desk.open("/")
    low, high = page.locator("#headline").inner_text().rsplit("$", 2)[1:]
    text = page.locator("main").inner_text()
    assert text.count(low.split()[0]) == 1
    assert text.count(high.strip()) == 1


def test_a_lost_connection_is_said_and_the_question_is_asked_again(
    windows: BrowserWindows, app: Dash
) -> None:
    server = Served(app)
    with windows.visit(server.url, LAPTOP, "light", reduced_motion="reduce") as there:
        page = there.open("/")
        port = server.port
        server.stop()
        page.get_by_role("button", name="30 days").click()
        expect(page.locator("#connection")).to_contain_text("The connection is lost")
        expect(page.locator("html")).to_have_class("lost")
        expect(page.locator("#headline")).to_contain_text("in 14 days")
        again = Served(app, port)
        expect(page.locator("#headline")).to_contain_text("in 30 days", timeout=15_000)
        expect(page.locator("#connection")).to_be_empty()
        expect(page.locator("html")).not_to_have_class("lost")
        again.stop()


def test_a_network_that_is_gone_is_said_before_anything_is_asked(
    windows: BrowserWindows, served: str
) -> None:
    with windows.visit(served, LAPTOP, "light", reduced_motion="reduce") as there:
        page = there.open("/")
        page.context.set_offline(True)
        expect(page.locator("#connection")).to_contain_text("The connection is lost")
        page.context.set_offline(False)
        expect(page.locator("#connection")).to_be_empty()


def test_another_forecast_can_be_drawn_over_the_chart(desk: PageVisit) -> None:
    page = desk.open("/")
    page.get_by_role("radio", name="Random walk").check()
    expect(page.locator("#legend")).to_contain_text("80 % range of the random walk")
    expect(page.locator("#fan .traceover")).to_be_attached()
    page.get_by_role("radio", name="Nothing").check()
    expect(page.locator("#fan .traceover")).to_have_count(0)
