"""The track record's callbacks: form and address ask the same question."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, ctx, no_update

from btc_assets.errors import StorageError
from btc_dash.data.context import Context
from btc_dash.data.query import RecordQuestion, arguments, parse
from btc_dash.pages import track_record

FIELDS = {"days": "track-days", "model": "track-model", "kind": "track-kind"}
_ERRORS = tuple(f"{name}_error" for name in FIELDS)


def register(app: Dash, context: Context) -> None:
    """Attach the track record's callbacks."""

    @app.callback(
        output={
            "body": Output("track-body", "children"),
            "search": Output("track-address", "search"),
            **{f"{name}_error": Output(control, "error") for name, control in FIELDS.items()},
            **{name: Output(control, "value") for name, control in FIELDS.items()},
        },
        inputs={name: Input(control, "value") for name, control in FIELDS.items()}
        | {"search": Input("track-address", "search")},
        prevent_initial_call=True,
    )
    def show(search: object, **form: object) -> dict[str, Any]:
        from_address = ctx.triggered_id == "track-address"
        errors: dict[str, Any] = dict.fromkeys(_ERRORS)
        nothing = dict.fromkeys(("body", "search", *_ERRORS, *FIELDS), no_update)
        question, complaints = parse(RecordQuestion, arguments(search) if from_address else form)
        errors |= {f"{name}_error": text for name, text in complaints.items()}
        if complaints and not from_address:
            return nothing | errors
        try:
            body = track_record.body(context, question)
        except (StorageError, OSError):
            return nothing | {"days_error": "The store does not answer; try again in a moment."}
        shown = nothing | errors | {"body": body}
        if from_address:
            return shown | {"days": str(question.days), "model": question.model, "kind": question.kind}
        return shown | {"search": question.search}
