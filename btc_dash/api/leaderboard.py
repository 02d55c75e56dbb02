"""Answer ``/api/v1/leaderboard``."""

from __future__ import annotations

import polars as pl
from flask import Response

from btc_assets.scoring.leaderboard_text import facts
from btc_dash.api.models import Leaderboard, RankedModel
from btc_dash.api.replies import as_json, cached, market_of, read_request
from btc_dash.data import leaderboard, market
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery, LeaderboardRequest
from btc_dash.server.middleware import client


def leaderboard_answer(context: Context) -> Response:
    """Rank all models, as JSON or as one row a ranked model."""
    request = read_request(LeaderboardRequest, market.last_day(context.cache))
    board = leaderboard.board(context, request.as_kind(LeaderboardQuery), client())
    body = Leaderboard(**market_of(context), kind=request.kind, **facts(board))
    if request.format == "json":
        return as_json(body, max_age=300)
    name = f"btc-leaderboard-{request.kind}-{f'{request.days}d' if request.days else 'mean'}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return cached(_csv(body.models), "text/csv", 300, headers)


def _csv(models: list[RankedModel]) -> str:
    rows = [row.model_dump() for row in models]
    return pl.DataFrame(rows, schema=list(RankedModel.model_fields)).write_csv()
