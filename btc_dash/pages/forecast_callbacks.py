"""The forecast page's callbacks: form and address ask the same question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from btc_assets.chances.questions import ImpossibleQuestion
from btc_assets.errors import StorageError
from btc_dash.data.asked import parts, without_defaults
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for, read_question
from btc_dash.data.query import QUESTION_PARTS, arguments
from btc_dash.pages import chance, forecast, forecast_chart, forecast_options
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import forecast_text

_ASKED = ("days", "model", "start", "span", "view", "event", "over")
FIELDS = {name: name.replace("_", "-") for name in (*_ASKED, "as_of", *QUESTION_PARTS)}
"""Name of each part of the question, and the control that holds it."""

_SAID = {
    "headline": Output("headline", "children"),
    "lead": Output("lead", "children"),
    "hindsight": Output("hindsight", "children"),
    "shape": Output("shape", "children"),
    "provenance": Output("provenance", "children"),
    "record": Output("facts", "children"),
    "legend": Output("legend", "children"),
    "figure": Output("fan", "figure"),
    "table_head": Output("table", "head"),
    "table_rows": Output("table", "rows"),
    "named": Output("named", "children"),
    "csv": Output("csv", "href"),
    "wide": Output("wide", "className"),
    "chance": Output("chance", "children"),
    "came_true": Output("came-true", "children"),
    "asks": Output("asks", "className"),
    "by": Output("by", "value"),
    "by_error": Output("by", "error"),
    "by_first": Output("by", "min"),
    "by_last": Output("by", "max"),
    "link": Output("link", "value"),
    "search": Output("address", "search"),
}
_ERRORS = {f"{name}_error": Output(control, "error") for name, control in FIELDS.items()}
_FORM = {f"form_{name}": Output(control, "value") for name, control in FIELDS.items()}


def register(app: Dash, context: Context) -> None:
    """Attach the forecast page's callbacks."""

    @app.callback(
        output=_SAID | _ERRORS | _FORM,
        inputs={name: Input(control, "value") for name, control in FIELDS.items()}
        | {"search": Input("address", "search"), "by": Input("by", "value")},
        prevent_initial_call=True,
    )
    def ask(search: object, by: object, **form: object) -> dict[str, Any]:
        from_address = ctx.triggered_id == "address"
        if ctx.triggered_id == "as-of":
            form["start"] = "close"
        form["vintage"] = arguments(search).get("vintage")
        if ctx.triggered_id == "by":
            try:
                form["days"] = chance.days_until(by, form["as_of"], form["start"])
            except ImpossibleQuestion as refusal:
                return _unchanged() | {"by_error": str(refusal)}
            return respond(context, form, search, False) | {"form_days": form["days"]}
        return respond(context, arguments(search) if from_address else form, search, from_address)

    app.clientside_callback(
        ClientsideFunction("page", "dragged"),
        [Output(part, "value", allow_duplicate=True) for part in ("price", "low", "high", "fall")],
        Input("fan", "relayoutData"), prevent_initial_call=True,
    )  # fmt: skip
    app.clientside_callback(
        ClientsideFunction("page", "picture"), Output("png", "title"), Input("png", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
    app.clientside_callback(
        ClientsideFunction("page", "share"), Output("copied", "children"),
        Input("link", "n_clicks"), State("link", "value"), prevent_initial_call=True,
    )  # fmt: skip


def respond(
    context: Context, values: Mapping[str, object], search: object, from_address: bool
) -> dict[str, Any]:
    """Return what changes on the page for ``values``: all of it, or only the messages at the fields."""
    nothing = _unchanged()
    try:
        question, complaints = read_question(context, values)
        errors = {f"{name}_error": complaints.get(name) for name in FIELDS}
        errors["as_of_error"] = forecast_options.origin_error(complaints)
        if complaints and not from_address:
            return nothing | errors
        found = forecast_for(context, question, client())
        if isinstance(found, NoForecast):
            return nothing | errors | {f"{forecast_options.origin_field(question)}_error": found.text}
        question = without_defaults(question, found.last_close)
        found = replace(found, question=question)
        shown, wrong = _shown(context, found)
        errors |= {f"{name}_error": text for name, text in wrong.items()}
        errors["over_error"] = complaints.get("over") or forecast_options.over_error(found)
    except TooManyRequests as limit:
        return nothing | {"as_of_error": str(limit)}
    except (StorageError, OSError):
        return nothing | {"as_of_error": "The store does not answer; try again in a moment."}
    if from_address:
        return nothing | shown | errors | _form(found)
    moved = {} if question.search == search else {"search": question.search}
    start = {"form_as_of": forecast_options.made_on(found), "form_start": found.question.start}
    return nothing | shown | errors | moved | start


def _unchanged() -> dict[str, Any]:
    """Leave every output as it is."""
    return dict.fromkeys([*_SAID, *_ERRORS, *_FORM], no_update)


def _shown(context: Context, found: ForecastResult) -> tuple[dict[str, Any], dict[str, str]]:
    """Everything that the answer shows, and by field what is wrong with what was asked about the price."""
    head, rows = forecast.table(found)
    now = context.now()
    said, came_true, errors = chance.answer_texts(context, found)
    return {
        "headline": forecast_text.headline(found, now),
        "lead": forecast_text.lead(found, now),
        "hindsight": forecast_text.hindsight(found),
        "shape": forecast_text.shape(found),
        "provenance": forecast_text.provenance(found),
        "record": forecast.fact_list(context, found),
        "legend": forecast_chart.legend(found),
        "figure": forecast_chart.figure(found),
        "table_head": head,
        "table_rows": rows,
        "named": forecast_chart.named_vintage(found.question),
        "csv": forecast_chart.csv_address(found.question),
        "wide": forecast_chart.why_class(found),
        "link": forecast_chart.permanent_search(found),
        "chance": said,
        "came_true": came_true,
        "asks": chance.fields(found),
        "by": found.target.isoformat(),
        "by_error": None,
        "by_first": found.whole.targets[0].isoformat(),
        "by_last": found.whole.targets[-1].isoformat(),
    }, errors


def _form(found: ForecastResult) -> dict[str, str]:
    values = {name: str(getattr(found.question, name)) for name in _ASKED}
    values |= {"as_of": forecast_options.made_on(found)} | parts(found.question, found.last_close)
    return {f"form_{name}": text for name, text in values.items()}
