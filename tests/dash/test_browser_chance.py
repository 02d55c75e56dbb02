"""The question under the chart, in a real Chromium: typed, dragged, linked to."""

from __future__ import annotations

import re

import pytest
from dash_browser import PageVisit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_question_is_answered_and_its_answer_has_an_address(desk: PageVisit) -> None:
    page = desk.open("/")
    said = page.locator("#chance")
    expect(said).to_contain_text("The chance that BTC touches 101,000 USDT by 5 December 2026 is about 1 in ")
    page.get_by_role("radio", name="closes below").check()
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
