"""The forecast page: one statement, the chart, and then how good such forecasts have been."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.pages import chance, forecast_chart, forecast_options, states
from btc_dash.pages.controls import Table
from btc_dash.pages.panel import tile
from btc_dash.text import forecast_text, record_facts
from btc_dash.text import formatting as fmt

TABLE_LEVELS = {
    0.5: "Middle", 0.1: "10 %", 0.9: "90 %", 0.25: "25 %", 0.75: "75 %", 0.025: "2.5 %", 0.975: "97.5 %",
}  # fmt: skip
"""The quantile levels of the table, what counts most first, and their headings."""


def page(context: Context, a: ForecastResult, complaints: dict[str, str], search: str) -> Component:
    """Return the whole page for one answer, asked for with the query string ``search``."""
    now = context.now()
    return html.Div(
        [
            dcc.Location(id="address", refresh=False, search=search),
            html.Section(
                [
                    html.H1(forecast_text.headline(a, now), id="headline"),
                    html.P(forecast_text.lead(a, now), id="lead", className="lead"),
                    html.P(forecast_text.hindsight(a), id="hindsight", className="lead happened"),
                ],
                className="intro",
                **{"aria-live": "polite"},
            ),
            forecast_options.days(a, complaints),
            forecast_chart.section(a),
            chance.section(context, a, complaints),
            html.Section(
                fact_list(context, a), id="facts", className="facts", **{"aria-label": "The record"}
            ),
            forecast_options.others(context, a, complaints),
            _table(a),
        ],
        className="forecast",
    )


def fact_list(context: Context, a: ForecastResult) -> list[Component]:
    """Return how such forecasts have done, and where to read more."""
    known = record_facts.facts(context.cache, a.question.model, a.question.days, context.now())
    search = f"?days={a.question.days}&model={a.question.model}"
    link = dcc.Link("The whole track record", href=f"/track-record{search}", className="more")
    filling = states.record_filling(context)
    note = [html.Div(filling, id="record-filling", className="note")] if filling else []
    return [*(tile(fact.label, fact.value, fact.note) for fact in known), *note, link]


def _table(a: ForecastResult) -> Component:
    head, rows = table(a)
    return html.Details(
        [html.Summary("Day by day"), Table("table", "The forecast day by day", head, rows)], className="panel"
    )


def table(a: ForecastResult) -> tuple[list[str], list[list[str]]]:
    """Return the forecast day by day, with what happened where it has: headings and rows."""
    happened = dict(zip(a.after.dates, a.after.closes, strict=True))
    head = ["Day (UTC)", *TABLE_LEVELS.values(), *(["Closed at"] if happened else [])]
    columns = [a.forecast.level(level) for level in TABLE_LEVELS]
    rows = []
    for target, *prices in zip(a.forecast.targets, *columns, strict=True):
        cells = [fmt.usd(price) for price in prices]
        if happened:
            cells.append(fmt.usd(happened[target]) if target in happened else "–")
        rows.append([fmt.long_day(target), *cells])
    return head, rows
