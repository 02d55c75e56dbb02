"""The pages in use, in a real Chromium: form, keyboard, address, downloads, schemes."""

from __future__ import annotations

import csv
import re

import pytest
from dash_browser import DESKTOP, BrowserWindows, PageVisit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_the_stepper_the_keyboard_and_the_presets_all_ask(desk: PageVisit) -> None:
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


def test_a_bad_number_keeps_the_chart_and_says_why(desk: PageVisit) -> None:
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


def test_W3_script_in_the_address_is_text(desk: PageVisit) -> None:
    page = desk.open("/?days=<script>window.hacked=1</script>&model=<img src=x onerror='window.hacked=1'>")
    expect(page.get_by_role("alert").first).to_contain_text("“<script>window")
    assert page.evaluate("window.hacked") is None


def test_back_forward_and_reload_keep_the_question(desk: PageVisit) -> None:
    page = desk.open("/?days=7&model=mlp")
    page.get_by_role("group", name="Model").get_by_label("LSTM").check()
    expect(page.locator("#provenance")).to_contain_text("the LSTM")
    page.get_by_role("radio", name="Candles").check()
    desk.settle()
    expect(page).to_have_url(re.compile("model=lstm&view=candles"))
    page.go_back()
    expect(page.get_by_role("radio", name="Line")).to_be_checked()
    page.go_back()
    expect(page.get_by_role("group", name="Model").get_by_label("MLP")).to_be_checked()
    expect(page.locator("#provenance")).to_contain_text("MLP")
    page.go_forward()
    expect(page.get_by_role("group", name="Model").get_by_label("LSTM")).to_be_checked()
    page.reload()
    expect(page.get_by_role("group", name="Model").get_by_label("LSTM")).to_be_checked()


def test_travelling_back_shows_what_happened(desk: PageVisit) -> None:
    page = desk.open("/?days=14")
    page.get_by_label("Forecast made from").fill("2026-11-01")
    expect(page.locator("#hindsight")).to_contain_text("What happened: Bitcoin closed at")
    expect(page.locator("#legend")).to_contain_text("What happened")
    page.get_by_role("button", name="One day earlier").click()
    expect(page).to_have_url(re.compile("as_of=2026-10-31"))
    page.get_by_label("Forecast made from").fill("2026-09-01")
    expect(page.locator("#provenance")).to_contain_text("Computed now for you")


def test_an_older_vintage_can_be_asked_from_its_card_and_left_again(desk: PageVisit) -> None:
    page = desk.open("/models?model=mlp&vintage=2026-10-11")
    page.get_by_role("link", name="Forecast with this vintage").click()
    expect(page.locator("#provenance")).to_contain_text("fitted on prices to 11 Oct 2026")
    page.get_by_role("button", name="One day more").click()
    expect(page).to_have_url(re.compile("days=15&model=mlp&vintage=2026-10-11"))
    expect(page.locator("#provenance")).to_contain_text("Computed now for you by the MLP")
    page.get_by_role("link", name="Use the one in force").click()
    expect(page.locator("#provenance")).to_contain_text("Issued on 22 Nov 2026")
    assert "vintage" not in page.url


def test_the_chart_tells_its_numbers(desk: PageVisit) -> None:
    page = desk.open("/")
    page.locator("#fan .nsewdrag").first.hover(position={"x": 300, "y": 150})
    label = page.locator("#fan .hoverlayer")
    expect(label).to_contain_text("2026")
    expect(label).to_contain_text("$")


def test_the_forecast_can_be_taken_along(desk: PageVisit) -> None:
    page = desk.open("/?days=10")
    with page.expect_download() as table:
        page.get_by_role("link", name="Download CSV").click()
    with open(table.value.path(), newline="") as file:  # noqa: PTH123
        assert len(list(csv.DictReader(file))) == 10
    with page.expect_download() as picture:
        page.get_by_role("button", name="Download PNG").click()
    assert picture.value.suggested_filename == "btc-forecast-ensemble-2026-11-21-10d.png"
    with open(picture.value.path(), "rb") as file:  # noqa: PTH123
        assert file.read(4) == b"\x89PNG"
    page.evaluate(
        "() => { window.taken = new Promise(done => { "
        "Plotly.downloadImage = (drawn, as) => done({...drawn.layout, ...as}); }); }"
    )
    page.get_by_role("button", name="Download PNG").click()
    taken = page.evaluate("window.taken")
    note = taken["annotations"][-1]
    assert "/?days=10" in note["text"]
    assert "Not financial advice." in note["text"]
    plot = taken["height"] - taken["margin"]["t"] - taken["margin"]["b"]
    two_lines = 2 * 1.3 * note["font"]["size"]
    assert taken["margin"]["b"] + note["y"] * plot > two_lines, "the last line is cut off"


def test_a_link_to_the_question_can_be_copied(windows: BrowserWindows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", permissions=["clipboard-read", "clipboard-write"]) as there:
        page = there.open("/?days=21&model=mlp")
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator("#copied")).to_have_text("Link copied.")
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == f"{there.base}/?days=21&model=mlp&as_of=2026-11-21"


def test_the_scheme_can_be_switched_and_is_remembered(windows: BrowserWindows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", reduced_motion="reduce") as there:
        switch_the_scheme(there)
        assert there.complaints == []


def switch_the_scheme(there: PageVisit) -> None:
    """Without asking the server, and still so after a reload."""
    page = there.open("/")
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("body")).not_to_have_css("background-color", light)
    assert asked == []
    page.reload()
    page.wait_for_selector("#fan .main-svg")
    assert page.evaluate(paper) != light


def test_the_whole_page_can_be_used_by_keyboard(desk: PageVisit) -> None:
    page = desk.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    seen = []
    for _ in range(50):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    for name in ("Track record", "scheme", "days", "90", "as-of", "csv", "png", "link"):
        assert name in seen


def test_pages_are_reached_without_a_reload_and_named(desk: PageVisit) -> None:
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


def test_the_track_record_follows_its_form(desk: PageVisit) -> None:
    page = desk.open("/track-record")
    page.get_by_role("button", name="1 day", exact=True).click()
    expect(page.locator(".summary")).to_contain_text("forecasts 1 day ahead")
    page.get_by_role("radio", name="Live").check()
    expect(page.locator(".summary")).to_contain_text("live forecasts 1 day ahead")
    page.go_back()
    expect(page.get_by_role("radio", name="All")).to_be_checked()


def test_history_can_be_lengthened_and_drawn_as_candles(desk: PageVisit) -> None:
    page = desk.open("/")
    page.get_by_role("radio", name="1 year").check()
    page.get_by_role("radio", name="Candles").check()
    expect(page.locator("#fan .boxlayer .trace, #fan .trace.boxes").first).to_be_attached()
    expect(page).to_have_url(re.compile("span=365&view=candles"))


def test_reduced_motion_and_print_are_honoured(windows: BrowserWindows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", reduced_motion="reduce") as there:
        page = there.open("/")
        page.emulate_media(media="print")
        expect(page.locator("#days")).to_be_hidden()
        expect(page.locator("#fan")).to_be_visible()
        assert there.complaints == []


def test_without_javascript_the_page_says_where_the_numbers_are(windows: BrowserWindows, served: str) -> None:
    with windows.visit(served, DESKTOP, "light", java_script_enabled=False) as there:
        there.page.goto(there.base + "/")
        assert "/api/v1/forecast" in there.page.content()
        expect(there.page.locator("noscript p")).to_be_visible()
