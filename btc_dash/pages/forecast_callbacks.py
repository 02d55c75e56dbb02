"""The forecast page's callbacks: form and address ask the same question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from btc_assets.errors import StorageError
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast, forecast_for, read_question
from btc_dash.data.query import arguments
from btc_dash.pages import chance, forecast, forecast_chart, forecast_options
from btc_dash.server.middleware import client
from btc_dash.server.rate_limit import TooManyRequests
from btc_dash.text import forecast_text

FIELDS = {
    "days": "days",
    "model": "model",
    "as_of": "as-of",
    "span": "span",
    "view": "view",
    "start": "start",
    "event": "event",
    "price": "price",
    "over": "over",
}
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
    "chance": Output("chance", "children"),
    "came_true": Output("came-true", "children"),
    "by": Output("by", "value"),
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
            form["days"] = chance.days_until(by, form["as_of"], form["start"])
            return respond(context, form, search, False) | {"form_days": form["days"]}
        return respond(context, arguments(search) if from_address else form, search, from_address)

    app.clientside_callback(
        ClientsideFunction("page", "dragged"), Output("price", "value", allow_duplicate=True),
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
    nothing = dict.fromkeys([*_SAID, *_ERRORS, *_FORM], no_update)
    try:
        question, complaints = read_question(context, values)
        errors = {f"{name}_error": complaints.get(name) for name in FIELDS}
        errors["as_of_error"] = forecast_options.origin_error(complaints)
        if complaints and not from_address:
            return nothing | errors
        found = forecast_for(context, question, client())
        if isinstance(found, NoForecast):
            return nothing | errors | {f"{forecast_options.origin_field(question)}_error": found.text}
        if question.price == chance.default_price(found.last_close):
            question = question.model_copy(update={"price": None})
            found = replace(found, question=question)
        shown, errors["price_error"] = _shown(context, found)
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


def _shown(context: Context, found: ForecastResult) -> tuple[dict[str, Any], str | None]:
    """Everything that the answer shows, and what is wrong with the price that was asked about."""
    head, rows = forecast.table(found)
    now = context.now()
    said, came_true, error = chance.answer_texts(context, found)
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
        "link": forecast_chart.permanent_search(found),
        "chance": said,
        "came_true": came_true,
        "by": found.target.isoformat(),
        "by_first": found.whole.targets[0].isoformat(),
        "by_last": found.whole.targets[-1].isoformat(),
    }, error


def _form(found: ForecastResult) -> dict[str, str]:
    question = found.question
    return {
        "form_days": str(question.days),
        "form_model": question.model,
        "form_as_of": forecast_options.made_on(found),
        "form_start": question.start,
        "form_span": question.span,
        "form_view": question.view,
        "form_event": question.event,
        "form_price": chance.asked_price(found),
        "form_over": question.over,
    }
