"""The volatility page: how much the price is expected to move, and why so much."""

from __future__ import annotations

import math

from dash import html
from dash.development.base_component import Component

from btc_assets.errors import ModelError
from btc_dash.charts import volatility as charts
from btc_dash.data import market, volatility
from btc_dash.data.context import Context
from btc_dash.data.volatility import AHEAD, Expected
from btc_dash.pages.controls import Table
from btc_dash.pages.panel import graph, panel, tile
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import formatting as fmt

PART_NAMES = {
    "year": "The last year",
    "month": "The last month",
    "week": "The last week",
    "3 days": "The last three days",
    "day": "The last day",
    "4-hour candles": "The 4-hour candles",
    "weekdays": "Weekdays and US holidays",
    "options": "What options expect",
    "nearer days": "Ranges of nearer days",
    "mlp": "The MLP",
    "lstm": "The LSTM",
    "restated": "Restated since it was issued",
}
_SHOWN = AHEAD.index(7)
_TALL = 320
"""Height of a chart, pixels."""


def page(context: Context) -> Component:
    """Return the whole page; what is missing is said."""
    now = volatility.expected(context.cache)
    if not now:
        text = html.P("The expected volatility appears with the first forecast.")
        return html.Section([html.H1("Volatility"), text], className="state")
    return html.Div(
        [
            html.Section([html.H1("Volatility"), *_lead(context, now)], className="intro"),
            html.Section([_tile(e) for e in now], className="facts four", **{"aria-label": "In numbers"}),
            _chart(context),
            _why(context, now),
        ],
        className="track-record",
    )


def _lead(context: Context, now: list[Expected]) -> list[Component]:
    week = next((e for e in now if e.days == 7), now[0])
    said = [
        f"How much the price is expected to move, as a standard deviation a year. Over the next "
        f"{fmt.days(week.days)} that is {fmt.percent(week.now)}: {_place(week)}."
    ]
    seen = volatility.realised_volatility(context.cache)
    if seen.height:
        day, rate = seen.row(-1)
        said.append(f"On {fmt.day(day)} the price moved at a rate of {fmt.percent(rate)} a year.")
    return [html.P(text, className="lead") for text in said]


def _place(e: Expected) -> str:
    if e.lower >= e.higher:
        return f"higher than in {fmt.percent(e.lower)} of the last {e.forecasts:,} forecasts"
    return f"lower than in {fmt.percent(e.higher)} of the last {e.forecasts:,} forecasts"


def _tile(e: Expected) -> Component:
    change = "" if e.before is None else f"{fmt.signed_percent(e.now / e.before - 1)} from the day before; "
    label = "Next day" if e.days == 1 else f"Next {fmt.days(e.days)}"
    return tile(label, fmt.percent(e.now, 1), f"{change}{_place(e)}")


def _chart(context: Context) -> Component:
    rows = volatility.past_expected(context.cache)
    figure = charts.history_figure(rows, volatility.realised_volatility(context.cache))
    return panel(
        "Expected and realised",
        "",
        graph("volatility-history", figure, _TALL),
        legend=(
            ("median", "Expected, next day"),
            ("naive", "Expected, next 30 days"),
            ("dot-actual", "Realised that day"),
        ),
    )


def _why(context: Context, now: list[Expected]) -> Component:
    origin = market.newest_origin(context.cache)
    try:
        parts = {} if origin is None else volatility.why(context, origin, client())
    except (ModelError, TooManyRequests) as error:
        return html.Section(
            [html.H2("Why this wide?"), html.P(f"{str(error).rstrip('.')}.")], className="panel"
        )
    shown = {name: row for name, row in parts.items() if name == "year" or max(map(abs, row)) > 1e-9}
    head = ("What counts", *(f"{days} day{'s' * (days > 1)}" for days in AHEAD))
    rows = [[PART_NAMES[name], *_cells(name, row)] for name, row in shown.items()]
    rows.append(["The forecast", *(fmt.percent(e.now, 1) for e in now)])
    changes = {PART_NAMES[name]: math.expm1(row[_SHOWN]) for name, row in shown.items() if name != "year"}
    return html.Section(
        [
            html.H2("Why this wide?"),
            html.P(_sentences(shown, now), id="why", className="lead"),
            graph("volatility-why", charts.parts_figure(changes), _TALL),
            Table("volatility-parts", "What the width is made of", head, rows),
            html.P("Each line says how much wider or narrower the forecast is because of it, in this order; "
                   "multiplied, they are the forecast.", className="hint"),
        ],
        className="panel",
    )  # fmt: skip


def _cells(name: str, row: list[float]) -> list[str]:
    if name == "year":
        return [fmt.percent(charts.rate(value, days), 1) for value, days in zip(row, AHEAD, strict=True)]
    return [fmt.signed_percent(math.expm1(value)) for value in row]


def _sentences(parts: dict[str, list[float]], now: list[Expected]) -> str:
    """Say in a sentence or two what widens and what narrows the next seven days."""
    base = fmt.percent(charts.rate(parts["year"][_SHOWN], AHEAD[_SHOWN]))
    said = f"For the next {AHEAD[_SHOWN]} days, the last year alone would expect {base} a year."
    changes = sorted(
        ((math.expm1(row[_SHOWN]), PART_NAMES[name]) for name, row in parts.items() if name != "year"),
        key=lambda part: -abs(part[0]),
    )
    notable = [
        f"{name[0].lower()}{name[1:]} {fmt.signed_percent(change)}"
        for change, name in changes[:3]
        if abs(change) >= 0.005
    ]
    if not notable:
        return f"{said} Nothing of late changes that."
    return f"{said} Most of the difference: {', '.join(notable)}. So it is {fmt.percent(now[_SHOWN].now)}."
