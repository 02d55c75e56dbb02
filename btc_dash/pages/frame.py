"""Draw the frame around every page: header, navigation, state of the data, notices, footer."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.health.missing_days import Age
from btc_assets.market.pair import ticker
from btc_dash.data.context import Context
from btc_dash.data.freshness import Freshness
from btc_dash.text import formatting as fmt

NAVIGATION = {
    "/": "Forecast",
    "/volatility": "Volatility",
    "/track-record": "Track record",
    "/models": "Models",
    "/about": "About",
}
REFRESH_SECONDS = 60


def frame(context: Context) -> Component:
    """Return the document: everything but the page itself, which the router puts into ``page``."""
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Interval(id="pulse", interval=REFRESH_SECONDS * 1000),
            html.A("Skip to the content", href="#page", className="skip"),
            _header(context),
            html.Div(id="connection", className="notice outage", role="status"),
            html.Div(notices(context), id="notices", className="wrap", role="status"),
            html.Main(id="page", className="wrap", tabIndex=-1),
            _footer(),
        ],
        className="shell",
    )


def badge(context: Context) -> list[Component]:
    """Return the data's date in the header, with a dot that also differs in shape."""
    fresh = context.freshness()
    if fresh.newest is None:
        said = "Data not known" if context.cache.outage else "No data yet"
        return [html.Span(className="dot none"), html.Span(said)]
    return [
        html.Span(className=f"dot {fresh.age.replace(' ', '_')}"),
        html.Span(f"Data to {fmt.day(fresh.newest)}"),
        html.Span(f", {fmt.age(fresh.since)}", className="wide"),
    ]


def notices(context: Context) -> list[Component]:
    """List what a visitor must know before reading any number."""
    shown: list[Component] = []
    if context.settings.simulated:
        shown.append(
            _notice(
                "simulated",
                "Simulated market.",
                f"These prices are made up; nothing here is about real {fmt.coin(context.settings.symbol)}.",
            )
        )
    fresh = context.freshness()
    if context.cache.outage:
        when = f"{context.cache.outage.since:%H:%M} UTC"
        text = (
            f"This is the last good page, from {when}." if fresh.newest else f"Nothing is read since {when}."
        )
        shown.append(_notice("outage", "The store does not answer.", text))
    return [*shown, *_staleness(fresh)]


def _staleness(fresh: Freshness) -> list[Component]:
    """Say what is late: the newest close, or days before it or forecasts from it."""
    if not fresh.missing or fresh.newest is None:
        return []
    very = fresh.age is Age.VERY_LATE
    if fresh.missing[-1] > fresh.newest:
        missing = f"The newest close is of {fmt.long_day(fresh.newest)}, {fmt.age(fresh.since)}."
    else:
        first, last = fmt.long_day(fresh.missing[0]), fmt.long_day(fresh.missing[-1])
        which = first if first == last else f"{first} to {last}"
        missing = f"Prices or forecasts of {which} should be here, and are not."
        return [_notice("stale", "Days are missing.", missing)]
    advice = "Do not take this forecast for today's." if very else "Forecasts start from that day."
    title = "Very stale data." if very else "Stale data."
    return [_notice("very-stale" if very else "stale", title, f"{missing} {advice}")]


def _notice(kind: str, title: str, text: str) -> Component:
    return html.Div([html.Strong(title), " ", text], className=f"notice {kind}")


def _header(context: Context) -> Component:
    name = f"{ticker(context.settings.symbol)} Forecast"
    links = [dcc.Link(name, href=path, className="place") for path, name in NAVIGATION.items()]
    return html.Header(
        html.Div(
            [
                dcc.Link(
                    [
                        html.Span(className="mark", **{"aria-hidden": "true"}),
                        html.Span(name, className="brand"),
                    ],
                    href="/",
                    className="home",
                    title=f"{name}, home",
                ),
                html.Nav(links, id="tabs", **{"aria-label": "Pages"}),
                html.Div(badge(context), id="badge", className="badge"),
                html.Button(
                    html.Span(className="icon scheme", **{"aria-hidden": "true"}),
                    id="scheme",
                    className="square",
                    title="Switch between light and dark",
                    **{"aria-label": "Switch between light and dark"},
                ),
            ],
            className="wrap bar",
        )
    )


def _footer() -> Component:
    return html.Footer(
        html.Div(
            [
                html.P(
                    "Statistical estimates from past prices; not financial advice. Days end at midnight UTC."
                ),
                html.P(
                    [
                        dcc.Link("How this works", href="/about"),
                        html.A("JSON API", href="/api/v1/openapi.json"),
                    ],
                    className="links",
                ),
            ],
            className="wrap",
        )
    )
