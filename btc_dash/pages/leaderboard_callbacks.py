"""The leaderboard's callbacks: form and address ask the same question."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, ctx, no_update

from btc_assets.errors import StorageError
from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery, arguments, parse
from btc_dash.pages import leaderboard
from btc_dash.server.rate_limit import TooManyRequests

FIELDS = {"days": "board-days", "kind": "board-kind", "since": "board-since"}
_ERRORS = tuple(f"{name}_error" for name in FIELDS)


def register(app: Dash, context: Context) -> None:
    """Attach the leaderboard's callbacks."""

    @app.callback(
        output={
            "body": Output("board-body", "children"),
            "search": Output("board-address", "search"),
            **{f"{name}_error": Output(control, "error") for name, control in FIELDS.items()},
            **{name: Output(control, "value") for name, control in FIELDS.items()},
        },
        inputs={name: Input(control, "value") for name, control in FIELDS.items()}
        | {"search": Input("board-address", "search")},
        prevent_initial_call=True,
    )
    def show(search: object, **form: object) -> dict[str, Any]:
        from_address = ctx.triggered_id == "board-address"
        errors: dict[str, Any] = dict.fromkeys(_ERRORS)
        nothing = dict.fromkeys(("body", "search", *_ERRORS, *FIELDS), no_update)
        values = arguments(search) if from_address else form
        asked, complaints = parse(LeaderboardQuery, values, market.last_day(context.cache))
        errors |= {f"{name}_error": text for name, text in complaints.items()}
        if complaints and not from_address:
            return nothing | errors
        try:
            body = leaderboard.body(context, asked)
        except (StorageError, OSError):
            return nothing | {"days_error": "The store does not answer; try again in a moment."}
        except TooManyRequests as limit:
            return nothing | {"days_error": str(limit)}
        shown = nothing | errors | {"body": body}
        if not from_address:
            return shown | {"search": asked.search}
        since = asked.since.isoformat() if asked.since else ""
        return shown | {"days": str(asked.days or leaderboard.MEAN), "kind": asked.kind, "since": since}
