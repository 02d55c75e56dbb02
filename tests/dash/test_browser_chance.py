"""The question under the chart, in a real Chromium: typed, dragged, linked to."""

from __future__ import annotations

import re

import pytest
from dash_browser import PageVisit
from playwright.sync_api import expect

from btc_assets.chances.questions import PARTS
from btc_dash.data.query import QUESTION_PARTS

pytestmark = pytest.mark.browser


def test_a_question_is_answered_and_its_answer_has_an_address(desk: PageVisit) -> None:
    page = desk.open("/")
    said = page.locator("#chance")
    expect(said).to_contain_text("The chance that BTC touches 101,000 USDT by 5 December 2026 is about 1 in ")
    page.get_by_label("What are the chances").select_option("closes below a price")
    price = page.get_by_label("Price, USDT")
    price.fill("85000")
    price.press("Enter")
    expect(said).to_contain_text("closes below 85,000 USDT on 5 December 2026 is about 1 in ")
    page.get_by_label("By the end of (UTC)").fill("2026-12-21")
    expect(said).to_contain_text("on 21 December 2026")
    expect(page.get_by_label("Days ahead", exact=True)).to_have_value("30")
    desk.settle()
    expect(page).to_have_url(re.compile("days=30&model=ensemble&event=below&price=85000"))
    answer = said.inner_text()
    page.reload()
    expect(said).to_have_text(answer)
    expect(page.locator("#came-true")).to_contain_text(re.compile("came true|Too few such answers"))


def test_the_line_in_the_chart_can_be_dragged_and_the_keyboard_moves_it(desk: PageVisit) -> None:
    page = desk.open("/")
    desk.settle()
    line = page.locator("#fan .shapelayer path").last.bounding_box()
    assert line is not None
    x, y = line["x"] + 0.4 * line["width"], line["y"] + line["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 30, steps=5)
    page.mouse.up()
    price = page.get_by_label("Price, USDT")
    expect(price).not_to_have_value("101000")
    dropped = int(price.input_value())
    assert 91_000 < dropped < 101_000
    assert dropped % 100 == 0
    expect(page.locator("#chance")).to_contain_text(f"touches {dropped:,} USDT")
    price.focus()
    price.press("ArrowUp")
    expect(page.locator("#chance")).to_contain_text(f"touches {dropped + 100:,} USDT")


def test_an_impossible_price_says_why_and_keeps_the_chart(desk: PageVisit) -> None:
    page = desk.open("/?price=-5")
    expect(page.get_by_role("alert").filter(has_text="A price is more than 0.")).to_be_visible()
    expect(page.locator("#fan .js-plotly-plot")).to_be_visible()
    page.get_by_label("Price, USDT").fill("80000")
    expect(page.locator("#chance")).to_contain_text("touches 80,000 USDT")


EVERY = {
    "between": ("low=90000&high=95000", "closes between 90,000 and 95,000 USDT on", 2),
    "stay": ("low=-20%25", "stays between 72,988 and 101,000 USDT", 2),
    "fall": ("fall=20", "falls by 20 % or more from the last close by", 1),
    "fall&since=peak": ("", "falls by 10 % or more from its highest price on the way by", 0),
    "range": ("", "the highest price lies between", 0),
    "worth": ("amount=0.5", "0.5 BTC are worth between", 0),
}
"""Events: what the address says of them, what is answered, how many lines the chart has for them."""


@pytest.mark.parametrize("event", EVERY)
def test_every_question_has_its_fields_its_lines_and_its_address(desk: PageVisit, event: str) -> None:
    search, said, lines = EVERY[event]
    page = desk.open(f"/?event={event}&{search}")
    expect(page.locator("#chance")).to_contain_text(said)
    assert page.evaluate("document.querySelector('#fan .js-plotly-plot').layout.shapes.length") == 1 + lines
    name, _, since = event.partition("&")
    wanted = [part for part in PARTS[name] if part in ("price", "low", "high", "fall", "since", "amount")]  # type: ignore[index]
    assert [part for part in QUESTION_PARTS if page.locator(f".part.{part}").is_visible()] == wanted
    page.get_by_role("button", name="30 days").click()
    expect(page.locator("#chance")).to_contain_text("21 December 2026")
    desk.settle()
    expect(page).to_have_url(re.compile(re.escape(f"event={name}") + f".*{since}"))
    assert desk.axe() == []


def test_a_band_is_asked_with_the_keyboard_and_its_lines_are_dragged(desk: PageVisit) -> None:
    page = desk.open("/")
    ask = page.get_by_label("What are the chances")
    ask.focus()
    ask.press("s")
    said = page.locator("#chance")
    expect(said).to_contain_text("stays between 82,000 and 101,000 USDT until 5 December 2026")
    page.get_by_label("To, USDT").press("ArrowUp")
    expect(said).to_contain_text("stays between 82,000 and 101,100 USDT")
    desk.settle()
    page.locator("#fan").scroll_into_view_if_needed()
    low = page.locator("#fan .shapelayer path[data-index='1']").first.bounding_box()
    assert low is not None
    x, y = low["x"] + 0.4 * low["width"], low["y"] + low["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 30, steps=5)
    page.mouse.up()
    expect(page.get_by_label("From, USDT")).not_to_have_value("82000")
    assert int(page.get_by_label("From, USDT").input_value()) < 82_000
    page.get_by_label("From, USDT").fill("95000")
    expect(page.get_by_role("alert").filter(has_text="The price is outside already")).to_be_visible()
    expect(said).to_have_text("")


def test_a_day_that_is_over_is_refused_at_its_field(desk: PageVisit) -> None:
    page = desk.open("/")
    page.get_by_label("By the end of (UTC)").fill("2026-11-20")
    expect(page.locator("#by-error")).to_have_text("2026-11-20 is over; ask for a day from 2026-11-22 on.")
    page.get_by_label("By the end of (UTC)").fill("2026-12-01")
    expect(page.locator("#by-error")).to_have_text("")
    expect(page.locator("#chance")).to_contain_text("1 December 2026")
