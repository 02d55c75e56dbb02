"""A panel of a page: a heading, a note, the legend of what is drawn, and the chart or table itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def tile(label: str, value: str, note: str) -> Component:
    """Build one number with what it is and what to know about it."""
    parts = {"label": label, "value": value, "note": note}
    return html.Div([html.Div(text, className=kind) for kind, text in parts.items()], className="fact")


def facts(known: Mapping[str, str]) -> Component:
    """Build a list of named facts, without those that are empty."""
    return html.Dl([part for name, text in known.items() if text for part in (html.Dt(name), html.Dd(text))])


def graph(name: str, figure: Figure, height: int) -> Component:
    """Build a chart of a fixed height (pixels), with the id ``name``."""
    return dcc.Graph(id=name, figure=figure, config=CONFIG, style={"height": f"{height}px"})
