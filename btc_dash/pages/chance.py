"""The question under the chart: what are the chances that the price gets there?"""

from __future__ import annotations

import datetime as dt
import math

from dash import html
from dash.development.base_component import Component

from btc_assets.chances.questions import ImpossibleQuestion, read_price
from btc_assets.contracts import HORIZONS
from btc_assets.errors import ModelError, StorageError
from btc_assets.market.calendar import DAY
from btc_assets.market.pair import ticker
from btc_dash.data import chances
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.pages.controls import Choice, Entry
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import chance_text

EVENT_NAMES = {"above": "closes above", "below": "closes below", "touch": "touches"}


def section(context: Context, a: ForecastResult, complaints: dict[str, str]) -> Component:
    """Build the question's controls and its answer."""
    text, record, error = answer_texts(context, a)
    origin, step = a.forecast.origin, price_step(a.last_close)
    return html.Section(
        [
            html.H2(f"What are the chances that {ticker(context.settings.symbol)} …"),
            html.Div(
                [
                    Choice("event", "What", EVENT_NAMES, a.question.event, complaints.get("event")),
                    Entry("price", "number", "Price, USDT", asked_price(a),
                          (_plain(step, step), _plain(10_000 * step, step)), ("Lower", "Higher"),
                          error=complaints.get("price") or error, step=step),
                    Entry("by", "date", "By the end of (UTC)", a.target.isoformat(),
                          ((origin + DAY).isoformat(), (origin + HORIZONS * DAY).isoformat()),
                          ("One day sooner", "One day later")),
                ],
                className="inputs",
            ),
            html.P(text, id="chance", className="lead", **{"aria-live": "polite"}),
            html.P(record, id="came-true", className="hint"),
        ],
        className="panel question",
        **{"aria-label": "The chances"},
    )  # fmt: skip


def answer_texts(context: Context, a: ForecastResult) -> tuple[str, str, str | None]:
    """Answer the page's question: what is said, how such answers did, and what is wrong with the price."""
    if a.quoted_at:
        return "Chances are reckoned from a day's close; choose “Last close” above.", "", None
    values = {"event": a.question.event, "price": asked_price(a), "days": str(a.question.days)}
    try:
        found = chances.ask(context.cache, context.path_maker, a.whole, values, client())
    except ImpossibleQuestion as refusal:
        return "", "", str(refusal)
    except (ModelError, TooManyRequests) as error:
        return f"{str(error).rstrip('.')}.", "", None
    except (StorageError, OSError):
        return "The store does not answer; ask again in a moment.", "", None
    return chance_text.said(found, ticker(context.settings.symbol)), chance_text.came_true(found.record), None


def asked_price(a: ForecastResult) -> str:
    """Return the price that the field shows: a number, or what was given where it is none."""
    if a.question.price is None:
        return default_price(a.last_close)
    try:
        return _plain(read_price(a.question.price, a.last_close), price_step(a.last_close))
    except ImpossibleQuestion:
        return a.question.price


def default_price(last_close: float) -> str:
    """Return a round price about a tenth above."""
    step = 10 * price_step(last_close)
    return _plain(math.ceil(1.1 * last_close / step) * step, step)


def price_step(last_close: float) -> float:
    """Return how far the price moves with a step of its field or of the line in the chart: 0.1 to 1 %."""
    power = math.floor(math.log10(last_close)) - 2
    return 10**power if power >= 0 else round(10.0**power, -power)


def _plain(price: float, step: float) -> str:
    """Return a price as the field shows it, to the digits of ``step``."""
    return f"{price:.{max(0, -math.floor(math.log10(step)))}f}"


def drawn_price(a: ForecastResult) -> float | None:
    """Return where the line lies in the chart; None where the price is none or too far off to be drawn."""
    try:
        price = read_price(asked_price(a), a.last_close)
    except ImpossibleQuestion:
        return None
    return price if 1 / 3 < price / a.last_close < 3 else None


def days_until(by: object, made_on: object, start: object) -> str:
    """Count how many days the date ``by`` lies after the origin, as text; as given where it is no date."""
    try:
        origin = dt.date.fromisoformat(str(made_on)) + (DAY if start == "now" else dt.timedelta())
        return str((dt.date.fromisoformat(str(by)) - origin).days)
    except ValueError:
        return str(by)
