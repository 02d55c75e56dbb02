"""Rank all scored models on the same days; each board is kept as long as the scores stay as they are."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.scoring.leaderboard import COLUMNS, Leaderboard, leaderboard
from btc_assets.scoring.summary import MOST
from btc_dash.data.context import Context
from btc_dash.data.query import LeaderboardQuery
from btc_dash.data.score_rows import chunks, of_kind


def board(context: Context, asked: LeaderboardQuery, client: str) -> Leaderboard:
    """Return the leaderboard that is asked for, computed at ``client``'s cost where it is not kept.

    Raises:
        TooManyRequests: ``client`` has asked for too much computing.
    """

    def rank() -> Leaderboard:
        context.limiter.take(client)
        near = pl.col("horizon") <= MOST if asked.days is None else pl.col("horizon") == asked.days
        parts = [of_kind(rows.filter(near), asked.kind) for rows in chunks(context.cache, COLUMNS)]
        return leaderboard(pl.concat(parts), asked.days, asked.since)

    return context.cache.keep(FORECAST_SCORES, ("leaderboard", asked), rank)
