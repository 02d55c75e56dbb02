"""A panel of a page: a heading, a note, the legend of what is drawn, and the chart or table itself."""

from __future__ import annotations

from collections.abc import Iterable

from dash import dcc, html
from dash.development.base_component import Component

from btc_dash.charts.base import CONFIG, Figure


def panel(title: str, note: str, *body: Component, legend: Iterable[tuple[str, str]] = ()) -> Component:
    """Build a section; ``legend`` names the class and the label of each line or colour."""
    keys = legend_keys(legend)
    parts = [
        html.Div([html.H2(title), html.P(note, className="hint")] if note else html.H2(title)),
        html.Div(keys, className="legend") if keys else None,
        *body,
    ]
    return html.Section(parts, className="panel")


def legend_keys(legend: Iterable[tuple[str, str]]) -> list[Component]:
    """Build what a legend shows: a line or patch of each class, beside its label."""
    return [html.Span([html.I(className=f"key {key}"), text]) for key, text in legend]


def graph(name: str, figure: Figure, height: int) -> Component:
    """Build a chart of a fixed height (pixels), with the id ``name``."""
    return dcc.Graph(id=name, figure=figure, config=CONFIG, style={"height": f"{height}px"})
