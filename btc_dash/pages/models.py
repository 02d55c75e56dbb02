"""The models page: which vintage was in force when, and each vintage's card."""

from __future__ import annotations

from urllib.parse import urlencode

import polars as pl
from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.contracts import NETWORKS
from btc_dash.charts.base import CONFIG
from btc_dash.charts.vintages import staircase
from btc_dash.data import market
from btc_dash.data.context import Site
from btc_dash.data.model_cards import Card, Reign
from btc_dash.data.query import ModelQuestion, Question
from btc_dash.text import formatting as fmt

_ABOUT = {
    "mlp": "Looks at a handful of volatility ratios of the last weeks, all at once.",
    "lstm": "Reads the same ratios day by day, over a window of the last weeks.",
}
_SHOWN = 60


def page(site: Site, question: ModelQuestion, complaints: dict[str, str]) -> Component:
    """The page for one network and one of its vintages."""
    reigns = site.cards.reigns(question.model)
    chosen = site.cards.find(question.model, question.vintage)
    if question.vintage and chosen is None:
        complaints = complaints | {"vintage": f"{fmt.model(question.model)} has no such vintage."}
        chosen = site.cards.find(question.model, None)
    return html.Div(
        [
            html.Section(
                [
                    html.H1("Models"),
                    html.P(
                        "Two small networks and their average. Each is refitted on a fixed grid of days. "
                        "What was fitted is a vintage, named after the last day it has seen, never changed.",
                        className="lead",
                    ),
                    *(html.P(text, className="error", role="alert") for text in complaints.values()),
                ],
                className="said",
            ),
            html.Nav(
                [_tab(name, question.model) for name in NETWORKS], className="tabs", **{"aria-label": "Model"}
            ),
            *(_body(site, chosen, reigns) if chosen else [_nothing(question.model)]),
        ],
        className="models",
    )


def _tab(name: str, chosen: str) -> Component:
    link = dcc.Link(fmt.model(name), href=f"/models?model={name}", className="button")
    return html.Span(link, className="on" if name == chosen else "")


def _nothing(model: str) -> Component:
    return html.Section(
        [html.H2("No vintage yet"), html.P(f"{fmt.model(model)} has not been fitted so far.")],
        className="state",
    )


def _body(site: Site, chosen: Reign, reigns: list[Reign]) -> list[Component]:
    rows = market.vintages(site.reader).filter(pl.col("model") == chosen.model)
    keys = [html.Span([html.I(className="key median"), "Trained to"]),
            html.Span([html.I(className="key cross"), "Refit refused"])]  # fmt: skip
    return [
        _card(site, chosen),
        html.Section(
            [
                html.H2("In force over time"),
                html.P("Up a step: a refit was promoted.", className="hint"),
                html.Div(keys, className="legend"),
                dcc.Graph(id="staircase", figure=staircase(rows), config=CONFIG, style={"height": "300px"}),
            ],
            className="panel",
        ),
        html.Section([html.H2("All vintages"), _table(reigns, chosen)], className="panel"),
    ]


def _card(site: Site, reign: Reign) -> Component:
    card = site.cards.card(reign)
    title = f"{fmt.model(reign.model)}, vintage {reign.vintage}"
    if card is None:
        text = "Its files are not in the registry of this machine or do not match their hashes."
        return html.Section([html.H2(title), html.P(text, className="hint")], className="panel")
    pictures = [_picture(card, name) for name in card.pictures]
    return html.Section(
        [
            html.Div([html.H2(title), html.P(_ABOUT.get(reign.model, ""), className="hint")]),
            html.Div([_facts(card), html.Div(pictures, className="pictures")], className="card"),
            html.P(html.A("Forecast with this vintage", href=_forecast_address(reign), className="button")),
            html.P(
                "In-sample numbers say that training worked, not how good forecasts are: for that, see the "
                "track record.",
                className="hint",
            ),
        ],
        className="panel",
    )


def _forecast_address(reign: Reign) -> str:
    return f"/{Question(model=reign.model, vintage=str(reign.vintage)).search}"


def _facts(card: Card) -> Component:
    manifest, metrics, reign = card.manifest, card.manifest.get("metrics", {}), card.reign
    known = {
        "In force": f"{fmt.day(reign.first)} to {fmt.day(reign.last)} ({fmt.days(reign.days)})",
        "Trained on": f"{metrics.get('origins', 0):,.0f} days from "
        f"{manifest.get('first_origin', 'unknown')}, targets to {manifest.get('last_target', 'unknown')}",
        "Loss, in sample": _against_walk(metrics.get("train_loss")),
        "One day ahead": _against_walk(metrics.get("train_loss_h1")),
        "In the 80 % range, in sample": _share(metrics.get("train_coverage_80")),
        "Features": ", ".join(manifest.get("features", ())),
        "Hyper-parameters": ", ".join(
            f"{k} {v}" for k, v in manifest.get("hyperparameters", {}).items() if k != "kind"
        ),
        "Libraries": ", ".join(f"{k} {v}" for k, v in manifest.get("libraries", {}).items()),
        "Data, sha256": manifest.get("data_sha256", ""),
        "Manifest, sha256": reign.manifest_sha256,
    }
    pairs = [part for name, text in known.items() if text for part in (html.Dt(name), html.Dd(str(text)))]
    return html.Dl(pairs)


def _against_walk(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.3f} of the random walk's"


def _share(value: float | None) -> str:
    return "" if value is None else fmt.percent(value, 1)


def _picture(card: Card, name: str) -> Component:
    texts = {
        "loss.png": "Training loss by epoch, beside the random walk's",
        "calibration.png": "Share of training outcomes below each quantile",
    }
    address = f"/models/{card.reign.model}/{card.reign.vintage}/{name}"
    return html.Img(src=address, alt=texts.get(name, name), title=texts.get(name, name))


def _link(reign: Reign) -> Component:
    search = urlencode({"model": reign.model, "vintage": str(reign.vintage)})
    return dcc.Link(str(reign.vintage), href=f"/models?{search}")


def _table(reigns: list[Reign], chosen: Reign) -> Component:
    rows = [
        html.Tr(
            [
                html.Th(_link(r), scope="row"),
                html.Td(fmt.day(r.first)),
                html.Td(fmt.day(r.last)),
                html.Td(f"{r.days:,}"),
                html.Td(r.reason, className="text"),
            ],
            className="chosen" if r == chosen else "",
        )
        for r in reigns[:_SHOWN]
    ]
    heads = ("Vintage", "In force from", "to", "Days", "Why")
    head = [html.Th(h, scope="col", className="text" if h == "Why" else "") for h in heads]
    table = html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)])
    return html.Div(table, className="scroll", tabIndex=0, role="region", **{"aria-label": "All vintages"})
