"""The forecast page's chart: its legend, what can be drawn, and what can be taken along."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_dash.charts.base import CONFIG, Figure
from btc_dash.charts.fan import LEGEND, fan_figure
from btc_dash.data.asked import lines
from btc_dash.data.forecasting import ForecastResult
from btc_dash.data.query import ForecastQuery, Question
from btc_dash.pages.panel import legend_keys
from btc_dash.text import forecast_text
from btc_dash.text import formatting as fmt

_CONFIG = CONFIG | {"edits": {"shapePosition": True}}
"""The lines of the question can be dragged."""


def section(a: ForecastResult) -> Component:
    """Return the chart of an answer with the lines about it."""
    return html.Section(
        [
            html.Div(legend(a), id="legend", className="legend", **{"aria-hidden": "true"}),
            dcc.Graph(id="fan", figure=figure(a), config=_CONFIG, style={"height": "var(--fan-height)"}),
            html.P(forecast_text.shape(a), id="shape", className="hint"),
            html.P(forecast_text.provenance(a), id="provenance", className="hint"),
            html.P(named_vintage(a.question), id="named", className="hint"),
            html.Div(
                [
                    html.A("Download CSV", id="csv", className="button", download="",
                           href=csv_address(a.question)),
                    html.Button("Download PNG", id="png"),
                    html.Button("Copy link", id="link", value=permanent_search(a)),
                    dcc.Link("Why this wide?", id="wide", href="/volatility", className=why_class(a)),
                    html.Span(id="copied", role="status"),
                ],
                className="actions",
            ),
        ],
        className="panel drawing",
        **{"aria-label": "What was, and what may follow"},
    )  # fmt: skip


def figure(a: ForecastResult) -> Figure:
    """Return the chart of an answer."""
    return fan_figure(
        a.past,
        a.forecast,
        a.after,
        a.question.view,
        a.quoted_at is not None,
        lines(a.question, a.last_close),
        a.over,
        fmt.coin(a.symbol),
    )


def legend(a: ForecastResult) -> list[Component]:
    """List what each line and colour of the chart stands for, as far as it is there."""
    absent = {"price" if a.question.view == "candles" else "candle"}
    if not a.after.dates:
        absent.add("actual")
    names = dict(LEGEND)
    if a.over:
        names["over"] = f"80 % range of {fmt.the_model(a.over.model)}"
    else:
        absent.add("over")
    return legend_keys((key, text) for key, text in names.items() if key not in absent)


def why_class(a: ForecastResult) -> str:
    """Return the class of the link to the volatility page, which explains the ensemble's newest forecast."""
    asked = a.question
    newest = asked.as_of is None and asked.vintage is None and asked.model == "ensemble" and not a.quoted_at
    return "button" if newest else "hidden"


def csv_address(question: Question) -> str:
    """Return where the same forecast is as a CSV file."""
    return f"/api/v1/forecast{question.as_kind(ForecastQuery).search}&format=csv"


def permanent_search(a: ForecastResult) -> str:
    """Return the query string that shows this forecast also after newer ones were issued.

    A provisional one is not kept: its address asks for the price then.
    """
    if a.quoted_at:
        return a.question.search
    return a.question.model_copy(update={"as_of": a.forecast.origin}).search


def named_vintage(question: Question) -> list[Component | str]:
    """Say where a vintage was asked for by name, and the way back to the one in force."""
    if not question.vintage:
        return []
    plain = question.model_copy(update={"vintage": None}).search
    return [f"Asked of the vintage {question.vintage}. ", html.A("Use the one in force", href=f"/{plain}")]
