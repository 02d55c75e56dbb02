"""The leaderboard's callbacks: form and address ask the same question."""

from __future__ import annotations

from dash import Dash

from btc_dash.data import market
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery, parse
from btc_dash.pages import leaderboard, question_form


def register(app: Dash, context: Context) -> None:
    """Attach the leaderboard's callbacks."""
    question_form.connect(
        app,
        "board",
        lambda values: parse(LeaderboardQuery, values, market.last_day(context.cache)),
        lambda asked: leaderboard.body(context, asked),
        {
            "days": lambda asked: str(asked.days or leaderboard.MEAN),
            "kind": lambda asked: asked.kind,
            "since": lambda asked: asked.since.isoformat() if asked.since else "",
        },
    )
