"""Pages for when there is nothing to show: loading, empty, an outage, an unknown address."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.io import progress
from btc_dash.data.context import Context
from btc_dash.data.forecasting import NoForecast
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import formatting as fmt

WAIT_SECONDS = 2


def waiting(context: Context, why: NoForecast) -> Component:
    """Return an empty page that says what is being done, or what to run, and looks again by itself."""
    work = progress.read(context.settings.root)
    body = [html.H1("The first forecast is being made"), *bar(work)] if work else _empty(why)
    return html.Section([*body, dcc.Interval(id="waiting", interval=WAIT_SECONDS * 1000)], className="state")


def bar(work: progress.Progress) -> list[Component]:
    """Return one bar for the whole work, with the step that it has come to."""
    share = min(max(work.share, 0.0), 1.0)
    said = ", ".join(filter(None, (fmt.percent(share), work.remaining)))
    return [
        html.P(f"{work.title} ({said})"),
        html.Progress(value=str(share), max="1", **{"aria-label": "How far the loading has come"}),
        html.P(work.detail or "The forecast appears here as soon as there is one.", className="hint"),
    ]


def record_filling(context: Context) -> str:
    """Say how far the background work that fills the track record has come; nothing where there is none."""
    work = progress.read(context.settings.root, progress.RECORD)
    if work is None:
        return ""
    return f"{', '.join(filter(None, (work.title, work.remaining)))}."


def _empty(why: NoForecast) -> list[Component]:
    run = (
        [html.P(["On the machine that serves this page, run ", html.Code(why.command), "."])]
        if why.command
        else []
    )
    return [html.H1(why.title), html.P(why.text), *run]


def store_outage() -> Component:
    """Say that the store fails and nothing was read before."""
    return html.Section(
        [
            html.H1("The store does not answer"),
            html.P("Neither prices nor forecasts can be read at the moment. This page keeps trying."),
            html.P(["Where this page is served from, ", html.Code("btc doctor"), " tells what is wrong."]),
            dcc.Interval(id="waiting", interval=WAIT_SECONDS * 1000),
        ],
        className="state",
    )


def rate_limited(limit: TooManyRequests) -> Component:
    """Say that the visitor has asked for more computing than one may."""
    return html.Section([html.H1("One moment"), html.P(str(limit))], className="state")


def not_found() -> Component:
    """Return an address that is none of ours; it is not repeated."""
    return html.Section(
        [html.H1("Page not found"), html.P(dcc.Link("Go to the forecast", href="/"))], className="state"
    )
