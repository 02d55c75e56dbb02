"""Every page and state in a real Chromium: looks, keyboard, accessibility, no error, no foreign host."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import pytest
from pages_browser import DESKTOP, PHONE, Visit, Windows, launch
from pages_states import STATES, States
from playwright.sync_api import expect, sync_playwright

pytestmark = pytest.mark.browser

WINDOWS = {"desktop": DESKTOP, "phone": PHONE}


@pytest.fixture(scope="module")
def windows() -> Iterator[Windows]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield Windows(chromium)
        chromium.close()


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, filled: object) -> Iterator[States]:
    every = States(filled, tmp_path_factory.mktemp("states"))  # type: ignore[arg-type]
    yield every
    every.stop()


@pytest.fixture
def desk(windows: Windows, served: str) -> Iterator[Visit]:
    """A desktop window on the filled site; whatever the browser complained of fails the test."""
    with windows.visit(served, DESKTOP, "light") as desk:
        yield desk
        assert desk.complaints == []


def flawless(there: Visit) -> None:
    assert there.axe() == []
    assert there.sideways() <= 0
    assert there.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("path", ["/?days=30", "/track-record", "/models?model=lstm", "/about"])
def test_every_page_is_flawless(windows: Windows, served: str, path: str, window: str, scheme: str) -> None:
    with windows.visit(served, WINDOWS[window], scheme) as there:
        there.open(path)
        flawless(there)


@pytest.mark.parametrize(("window", "scheme"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_designed(
    windows: Windows, states: States, state: str, window: str, scheme: str
) -> None:
    with windows.visit(states.url(state), WINDOWS[window], scheme) as there:
        page = there.open(STATES[state].path)
        expect(page.locator("body")).to_contain_text(STATES[state].says)
        assert page.locator("#fan").count() == STATES[state].chart
        assert there.axe() == []
        assert there.sideways() <= 0
        assert [c for c in there.complaints if "503" not in c] == []


def test_the_page_that_waits_shows_the_forecast_by_itself(windows: Windows, states: States) -> None:
    with windows.visit(states.url("loading"), DESKTOP, "light") as there:
        page = there.open("/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Loading history: 40 %")
        states.finish_loading()
        expect(page.locator("#headline")).to_contain_text("Bitcoin in 14 days", timeout=15_000)


def test_the_stepper_the_keyboard_and_the_presets_all_ask(desk: Visit) -> None:
    page = desk.open("/")
    days = page.get_by_label("Days ahead", exact=True)
    page.get_by_role("button", name="One day more").click()
    expect(page.locator("#headline")).to_contain_text("in 15 days")
    days.focus()
    days.press("ArrowDown")
    days.press("ArrowDown")
    expect(page.locator("#headline")).to_contain_text("in 13 days")
    page.get_by_role("button", name="90 days").click()
    expect(page.locator("#headline")).to_contain_text("in 90 days")
    expect(page.get_by_role("button", name="One day more")).to_be_disabled()
    days.fill("5")
    days.press("Enter")
    expect(page.locator("#headline")).to_contain_text("in 5 days")
    assert page.url.endswith("/?days=5&model=ensemble")


def test_a_bad_number_keeps_the_chart_and_says_why(desk: Visit) -> None:
    page = desk.open("/")
    days = page.get_by_label("Days ahead", exact=True)
    before = page.locator("#headline").inner_text()
    for typed in ("0", "91", "1.5", ""):
        days.fill(typed)
        expect(page.get_by_role("alert").first).to_contain_text("a whole number of days from 1 to 90")
        expect(days).to_have_attribute("aria-invalid", "true")
        assert page.locator("#headline").inner_text() == before
    days.fill("7")
    expect(page.locator("#headline")).to_contain_text("in 7 days")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_w3_script_in_the_address_is_text(desk: Visit) -> None:
    page = desk.open("/?days=<script>window.hacked=1</script>&model=<img src=x onerror='window.hacked=1'>")
    expect(page.get_by_role("alert").first).to_contain_text("“<script>window")
    assert page.evaluate("window.hacked") is None


def test_back_forward_and_reload_keep_the_question(desk: Visit) -> None:
    page = desk.open("/?days=7&model=mlp")
    page.get_by_role("radio", name="LSTM").check()
    expect(page.locator("#provenance")).to_contain_text("the LSTM")
    page.get_by_role("radio", name="Candles").check()
    desk.settle()
    expect(page).to_have_url(re.compile("model=lstm&view=candles"))
    page.go_back()
    expect(page.get_by_role("radio", name="Line")).to_be_checked()
    page.go_back()
    expect(page.get_by_role("radio", name="MLP")).to_be_checked()
    expect(page.locator("#provenance")).to_contain_text("MLP")
    page.go_forward()
    expect(page.get_by_role("radio", name="LSTM")).to_be_checked()
    page.reload()
    expect(page.get_by_role("radio", name="LSTM")).to_be_checked()


def test_travelling_back_shows_what_happened(desk: Visit) -> None:
    page = desk.open("/?days=14")
    page.get_by_label("Forecast made on").fill("2026-11-01")
    expect(page.locator("#hindsight")).to_contain_text("What happened: Bitcoin closed at")
    expect(page.locator("#legend")).to_contain_text("What happened")
    page.get_by_role("button", name="One day earlier").click()
    expect(page).to_have_url(re.compile("as_of=2026-10-31"))
    page.get_by_label("Forecast made on").fill("2026-09-01")
    expect(page.locator("#provenance")).to_contain_text("Computed now for you")


def test_the_chart_tells_its_numbers(desk: Visit) -> None:
    page = desk.open("/")
    page.locator("#fan .nsewdrag").first.hover(position={"x": 300, "y": 150})
    label = page.locator("#fan .hoverlayer")
    expect(label).to_contain_text("2026")
    expect(label).to_contain_text("$")


def test_the_forecast_can_be_taken_along(desk: Visit) -> None:
    page = desk.open("/?days=10")
    with page.expect_download() as table:
        page.get_by_role("link", name="Download CSV").click()
    with open(table.value.path(), newline="") as file:  # noqa: PTH123
        assert len(list(csv.DictReader(file))) == 10
    with page.expect_download() as picture:
        page.get_by_role("button", name="Download PNG").click()
    assert picture.value.suggested_filename == "btc-forecast.png"
    with open(picture.value.path(), "rb") as file:  # noqa: PTH123
        assert file.read(4) == b"\x89PNG"


def test_a_link_to_the_question_can_be_copied(windows: Windows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", permissions=["clipboard-read", "clipboard-write"]) as there:
        page = there.open("/?days=21&model=mlp")
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator("#copied")).to_have_text("Link copied.")
        assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_scheme_can_be_switched_and_is_remembered(windows: Windows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", reduced_motion="reduce") as there:
        switch_the_scheme(there)
        assert there.complaints == []


def switch_the_scheme(there: Visit) -> None:
    """Without asking the server, and still so after a reload."""
    page = there.open("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(paper) != light
    assert asked == []
    page.reload()
    page.wait_for_selector("#fan .main-svg")
    assert page.evaluate(paper) != light


def test_the_whole_page_can_be_used_by_keyboard(desk: Visit) -> None:
    page = desk.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    for name in ("Track record", "scheme", "days", "90", "as-of", "csv", "png", "link"):
        assert name in seen


def test_pages_are_reached_without_a_reload_and_named(desk: Visit) -> None:
    page = desk.open("/")
    page.evaluate("window.same = 1")
    for name, title in (
        ("Track record", "Track record"),
        ("Models", "Models"),
        ("About", "About these forecasts"),
    ):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page).to_have_title(f"{name} · BTC Forecast")
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").click()
    page.get_by_role("link", name="LSTM").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text("LSTM, vintage")
    assert page.evaluate("window.same") == 1


def test_the_track_record_follows_its_form(desk: Visit) -> None:
    page = desk.open("/track-record")
    page.get_by_role("button", name="1 day", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("forecasts 1 day ahead")
    page.get_by_role("radio", name="Live").check()
    expect(page.locator(".verdict")).to_contain_text("live forecasts 1 day ahead")
    page.go_back()
    expect(page.get_by_role("radio", name="All")).to_be_checked()


def test_history_can_be_lengthened_and_drawn_as_candles(desk: Visit) -> None:
    page = desk.open("/")
    page.get_by_role("radio", name="1 year").check()
    page.get_by_role("radio", name="Candles").check()
    expect(page.locator("#fan .boxlayer .trace, #fan .trace.boxes").first).to_be_attached()
    expect(page).to_have_url(re.compile("span=365&view=candles"))


def test_reduced_motion_and_print_are_honoured(windows: Windows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", reduced_motion="reduce") as there:
        page = there.open("/")
        page.emulate_media(media="print")
        expect(page.locator(".controls")).to_be_hidden()
        expect(page.locator("#fan")).to_be_visible()
        assert there.complaints == []


def test_without_javascript_the_page_says_where_the_numbers_are(windows: Windows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", java_script_enabled=False) as there:
        there.page.goto(there.base + "/")
        assert "/api/v1/forecast" in there.page.content()
        expect(there.page.locator("noscript p")).to_be_visible()
