"""The track record's callbacks: form and address ask the same question."""

from __future__ import annotations

from dash import Dash

from btc_dash.data.context import Context
from btc_dash.data.query import RecordQuestion, parse
from btc_dash.pages import question_form, track_record


def register(app: Dash, context: Context) -> None:
    """Attach the track record's callbacks."""
    question_form.connect(
        app,
        "track",
        lambda values: parse(RecordQuestion, values),
        lambda asked: track_record.body(context, asked),
        {
            "days": lambda asked: str(asked.days),
            "model": lambda asked: asked.model,
            "kind": lambda asked: asked.kind,
        },
    )
