"""The home page of a first start: the strongest random walk's forecast until the networks' are issued."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.io import progress
from btc_dash.charts.base import CONFIG
from btc_dash.charts.fan import fan_figure
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult
from btc_dash.pages import forecast_chart, states
from btc_dash.text import forecast_text
from btc_dash.text import formatting as fmt


def page(context: Context, a: ForecastResult) -> Component:
    """Return the page: headline, chart, what they are, and how far the networks have come."""
    now = context.now()
    chart = fan_figure(a.past, a.forecast, a.after, a.question.view, name=fmt.coin(a.symbol))
    return html.Div(
        [
            html.Section(
                [
                    html.H1(forecast_text.headline(a, now), id="first-headline"),
                    html.P(forecast_text.lead(a, now), className="lead"),
                    html.P(forecast_text.until_issued(a), id="first-label", className="lead"),
                ],
                className="said",
            ),
            html.Section(loading(context), id="first-progress", className="loading"),
            html.Section(
                [
                    html.Div(forecast_chart.legend(a), className="legend", **{"aria-hidden": "true"}),
                    dcc.Graph(
                        id="first-fan", figure=chart, config=CONFIG, style={"height": "var(--fan-height)"}
                    ),
                    html.P(forecast_text.shape(a), className="hint"),
                ],
                className="panel drawing",
                **{"aria-label": "What was, and what may follow"},
            ),
            dcc.Interval(id="first-waiting", interval=states.WAIT_SECONDS * 1000),
        ],
        className="forecast",
    )


def loading(context: Context) -> list[Component]:
    """Return how far the networks have come, or what to run where nobody works on them."""
    work = progress.read(context.settings.root)
    if work is not None:
        return states.bar(work)
    return [html.P(["The networks have issued nothing yet: run ", html.Code("btc up"), "."])]
