"""The question under the chart: what are the chances that the price gets there?"""

from __future__ import annotations

import datetime as dt

from dash import html
from dash.development.base_component import Component

from btc_assets.chances.questions import ImpossibleQuestion, read_days
from btc_assets.chances.sentences import sentence
from btc_assets.contracts import HORIZONS
from btc_assets.errors import ModelError, StorageError
from btc_assets.market.calendar import DAY
from btc_assets.market.pair import ticker
from btc_dash.data import asked, chances
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.pages.controls import Choice, Entry, Select
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import chance_text

EVENT_NAMES = {
    "touch": "touches a price",
    "above": "closes above a price",
    "below": "closes below a price",
    "between": "closes between two prices",
    "stay": "stays between two prices",
    "fall": "falls by some per cent",
    "range": "Or: how high and how low will it go?",
    "worth": "Or: what will an amount be worth?",
}
_SINCE_NAMES = {"here": "Last close", "peak": "Its peak"}


def section(context: Context, a: ForecastResult, complaints: dict[str, str]) -> Component:
    """Build the question's controls and its answer."""
    text, record, errors = answer_texts(context, a)
    origin, coin = a.forecast.origin, ticker(a.symbol)
    event = Select("event", f"What are the chances that {coin} …", EVENT_NAMES, a.question.event,
                   complaints.get("event"))  # fmt: skip
    by = Entry("by", "date", "By the end of (UTC)", a.target.isoformat(),
               ((origin + DAY).isoformat(), (origin + HORIZONS * DAY).isoformat()),
               ("One day sooner", "One day later"))  # fmt: skip
    return html.Section(
        [
            html.H2("Ask anything about the price"),
            html.Div([event, *_parts(a, coin, errors | complaints), by], id="asks", className=fields(a)),
            html.P(text, id="chance", className="lead", **{"aria-live": "polite"}),
            html.P(record, id="came-true", className="hint"),
        ],
        className="panel question",
        **{"aria-label": "The chances"},
    )


def _parts(a: ForecastResult, coin: str, errors: dict[str, str]) -> list[Component]:
    """Build a field for each part that a question may have; the style sheet shows those of its event."""
    shown, step = asked.parts(a.question, a.last_close), asked.price_step(a.last_close)
    width = asked.digits(step)
    bounds, steps = (f"{step:.{width}f}", f"{10_000 * step:.{width}f}"), ("Lower", "Higher")
    prices = {"price": "Price, USDT", "low": "From, USDT", "high": "To, USDT"}
    fields: dict[str, Component] = {
        name: Entry(name, "number", label, shown[name], bounds, steps, error=errors.get(name), step=step)
        for name, label in prices.items()
    }
    fields |= {
        "fall": Entry("fall", "number", "By, per cent", shown["fall"], ("1", "99"), ("Less", "More"),
                      error=errors.get("fall")),
        "since": Choice("since", "Counted from", _SINCE_NAMES, shown["since"], errors.get("since")),
        "amount": Entry("amount", "number", f"Amount, {coin}", shown["amount"], ("0.1", "1000000"),
                        ("Less", "More"), error=errors.get("amount"), step=0.1),
    }  # fmt: skip
    return [html.Div(field, className=f"part {name}") for name, field in fields.items()]


def fields(a: ForecastResult) -> str:
    """Return the classes that say which fields the question has."""
    return " ".join(["inputs", *(f"asks-{part}" for part in asked.needed(a.question))])


def answer_texts(context: Context, a: ForecastResult) -> tuple[str, str, dict[str, str]]:
    """Answer the page's question: what is said, how such answers did, and by field what is wrong."""
    if a.quoted_at:
        return "Chances are counted from a day's close; choose “Start from: Last close” below.", "", {}
    try:
        values = asked.asked(a.question, a.last_close)
        found = chances.ask(context.cache, context.path_maker, a.whole, values, client())
    except ImpossibleQuestion as refusal:
        return "", "", {refusal.field: str(refusal)}
    except (ModelError, TooManyRequests) as error:
        return f"{str(error).rstrip('.')}.", "", {}
    except (StorageError, OSError):
        return "The store does not answer; ask again in a moment.", "", {}
    said = sentence(found.question, found.answer, found.origin, ticker(a.symbol))
    return said, chance_text.came_true(found), {}


def days_until(by: object, made_on: object, start: object) -> str:
    """Count how many days the date ``by`` lies after the origin, as text.

    Raises:
        ImpossibleQuestion: it is no date, is over, or lies further off than forecasts reach.
    """
    origin = dt.date.fromisoformat(str(made_on)) + (DAY if start == "now" else dt.timedelta())
    return str(read_days({"by": str(by)}, origin))
