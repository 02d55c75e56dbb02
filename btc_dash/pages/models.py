"""The models page: which vintage was in force when, and each vintage's card."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

import polars as pl
from dash import dcc, html
from dash.development.base_component import Component

from btc_assets.contracts import NETWORKS
from btc_assets.errors import ModelError
from btc_dash.charts.vintages import staircase
from btc_dash.data import anchor_gain, market
from btc_dash.data.context import Context
from btc_dash.data.model_cards import ModelCard, VintagePeriod
from btc_dash.data.query import ModelQuestion, Question
from btc_dash.pages.panel import facts, graph, panel
from btc_dash.text import formatting as fmt
from btc_dash.text.anchor_text import WHAT, gain_sentences

_ABOUT = {
    "mlp": "Looks at a handful of volatility ratios of the last weeks, all at once.",
    "lstm": "Reads the same ratios day by day, over a window of the last weeks.",
}
_SHOWN = 60
_HYPERPARAMETERS = {
    "layers": "layers", "units": "units a layer", "window": "days read", "learning_rate": "learning rate",
    "epochs": "epochs", "batch": "origins a step", "l2": "weight decay (L2)", "seeds": "seeds averaged",
    "bound": "largest |ln factor|", "fade": "days until that has halved",
}  # fmt: skip
_FEATURES = {
    "volatility": "volatility of {} over the year's",
    "turnover": "turnover of {} over the month's",
    "downside": "falling days' share of {}",
}


def page(context: Context, question: ModelQuestion, complaints: dict[str, str]) -> Component:
    """Return the page for one network and one of its vintages."""
    periods = context.cards.periods(question.model)
    chosen = context.cards.find(question.model, question.vintage)
    if question.vintage and chosen is None:
        complaints = complaints | {"vintage": f"{fmt.model(question.model)} has no such vintage."}
        chosen = context.cards.find(question.model, None)
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
                className="intro",
            ),
            html.Nav(
                [_tab(name, question.model) for name in NETWORKS], className="tabs", **{"aria-label": "Model"}
            ),
            *(_body(context, chosen, periods) if chosen else [_nothing(question.model)]),
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


def _body(context: Context, chosen: VintagePeriod, periods: list[VintagePeriod]) -> list[Component]:
    rows = market.vintages(context.cache).filter(pl.col("model") == chosen.model)
    return [
        _card_panel(context, chosen),
        _gain_panel(context, chosen.model),
        panel(
            "In force over time",
            "Up a step: a refit came into force.",
            graph("staircase", staircase(rows), 300),
            legend=(("median", "Trained to"), ("cross", "Refit held back")),
        ),
        panel("All vintages", "", _table(periods, chosen)),
    ]


def _card_panel(context: Context, period: VintagePeriod) -> Component:
    card = context.cards.read(period)
    title = f"{fmt.model(period.model)}, vintage {period.vintage}"
    if card is None:
        text = "Its files are not in the registry of this machine or do not match their hashes."
        return html.Section([html.H2(title), html.P(text, className="hint")], className="panel")
    pictures = [_picture(card, name) for name in card.pictures]
    asked = Question(model=period.model, vintage=str(period.vintage))
    return html.Section(
        [
            html.Div([html.H2(title), html.P(_ABOUT.get(period.model, ""), className="hint")]),
            html.Div(
                [_facts(card, _newest(context, period.model)), html.Div(pictures, className="pictures")],
                className="card",
            ),
            html.P(html.A("Forecast with this vintage", href=f"/{asked.search}", className="button")),
            html.P(
                "In-sample numbers say that training worked, not how good forecasts are: for that, see the "
                "track record.",
                className="hint",
            ),
        ],
        className="panel",
    )


def _gain_panel(context: Context, network: str) -> Component:
    """Say what the network adds to its anchor, measured at this moment."""
    try:
        found = (anchor_gain.gain(context.cache, network, kind) for kind in ("live", "backfilled"))
        said = gain_sentences(network, *found)
    except ModelError as error:
        said = [f"This cannot be measured now: {str(error).rstrip('.')}."]
    return panel("What does it add?", WHAT, *(html.P(text) for text in said))


def _facts(card: ModelCard, newest: dt.date | None) -> Component:
    manifest, metrics, period = card.manifest, card.manifest.get("metrics", {}), card.period
    known = {
        "In force": _in_force(period, newest),
        "Trained on": f"{metrics.get('origins', 0):,.0f} days from "
        f"{manifest.get('first_origin', 'unknown')}, targets to {manifest.get('last_target', 'unknown')}",
        "Loss, in sample": _against_anchor(metrics.get("train_loss")),
        "Loss one day ahead, in sample": _against_anchor(metrics.get("train_loss_h1")),
        "In the 80 % range, in sample": _share(metrics.get("train_coverage_80")),
        "Features": ", ".join(_feature(name) for name in manifest.get("features", ())),
        "Hyper-parameters": ", ".join(
            f"{_HYPERPARAMETERS.get(k, k)} {v:g}"
            for k, v in manifest.get("hyperparameters", {}).items()
            if k != "kind"
        ),
        "Libraries": ", ".join(f"{k} {v}" for k, v in manifest.get("libraries", {}).items()),
        "Data, sha256": manifest.get("data_sha256", ""),
        "Manifest, sha256": period.manifest_sha256,
    }
    return facts({name: str(text) for name, text in known.items()})


def _newest(context: Context, model: str) -> dt.date | None:
    """Return the newest day that has a vintage in force."""
    return max((period.last for period in context.cards.periods(model)), default=None)


def _in_force(period: VintagePeriod, newest: dt.date | None) -> str:
    """Say since when, and until when unless it still is."""
    if period.last == newest:
        return f"since {fmt.day(period.first)} ({fmt.days(period.days)} so far)"
    return f"{fmt.day(period.first)} to {fmt.day(period.last)} ({fmt.days(period.days)})"


def _feature(name: str) -> str:
    """Name a feature for people; one that is not known as it is."""
    kind, _, rest = name.partition("_")
    if kind == "weekday":
        return f"weekday ({rest})"
    return _FEATURES[kind].format(fmt.days(int(rest))) if kind in _FEATURES and rest.isdecimal() else name


def _against_anchor(loss: float | None) -> str:
    return "" if loss is None else f"{loss:.3f} of its anchor's"


def _share(value: float | None) -> str:
    return "" if value is None else fmt.percent(value, 1)


def _picture(card: ModelCard, name: str) -> Component:
    texts = {
        "loss.png": "Training loss by epoch, as a ratio to the anchor's",
        "calibration.png": "Share of training outcomes below each quantile",
    }
    address = f"/models/{card.period.model}/{card.period.vintage}/{name}"
    return html.Img(src=address, alt=texts.get(name, name), title=texts.get(name, name))


def _link(period: VintagePeriod) -> Component:
    search = urlencode({"model": period.model, "vintage": str(period.vintage)})
    return dcc.Link(str(period.vintage), href=f"/models?{search}")


def _table(periods: list[VintagePeriod], chosen: VintagePeriod) -> Component:
    newest = max((period.last for period in periods), default=None)
    rows = [
        html.Tr(
            [
                html.Th(_link(r), scope="row"),
                html.Td(
                    [html.Div(_in_force(r, newest)), html.Div(r.reason, className="hint")], className="text"
                ),
            ],
            className="chosen" if r == chosen else "",
        )
        for r in periods[:_SHOWN]
    ]
    heads = {"Vintage": "", "In force, and why": "text"}
    head = [html.Th(name, scope="col", className=kind) for name, kind in heads.items()]
    table = html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)])
    return html.Div(table, className="scroll", tabIndex=0, role="region", **{"aria-label": "All vintages"})
