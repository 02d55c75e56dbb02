"""``btc leaderboard``: every model that was scored, ranked on the same days."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from btc_assets.cli.options import AsJson, closed_day, one_of
from btc_assets.settings import load
from btc_assets.vocabulary import HORIZONS


def leaderboard(
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", min=1, max=HORIZONS, help="Days ahead; the mean over 1 to 30 unless given."
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="First origin, YYYY-MM-DD; the first that all have unless given.")
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help="live, late or back-filled.")] = "live",
    as_json: AsJson = False,
) -> None:
    """Rank every model on the same days: score with interval, coverage, and which cannot be told apart."""
    import polars as pl

    from btc_assets.contracts import FORECAST_SCORES
    from btc_assets.factory import open_pair
    from btc_assets.market.issue_timing import ISSUE_KINDS
    from btc_assets.scoring import leaderboard as boards
    from btc_assets.scoring import leaderboard_text as text
    from btc_assets.scoring.issue_kinds import read_in_time, with_kind
    from btc_assets.storage.tables import read_pair

    kind = one_of(kind, ISSUE_KINDS, "kind")
    first = closed_day(since, "--since") if since else None
    settings = load()
    tables = open_pair(settings)
    scores = read_pair(tables, FORECAST_SCORES, settings.symbol, ["live", *boards.COLUMNS])
    scores = with_kind(scores, read_in_time(tables, settings.symbol))
    board = boards.leaderboard(scores.filter(kind=kind), horizon, first)
    if as_json:
        fixed = {"symbol": settings.symbol, "simulated": settings.simulated, "kind": kind}
        typer.echo(json.dumps(fixed | text.facts(board), indent=2, default=str))
        return
    label = "SIMULATED prices\n" if settings.simulated else ""
    typer.echo(label + text.render(board, kind))
    if not board.standings:
        counts = scores.group_by("kind").agg(pl.col("origin_date").n_unique()).sort("kind").rows()
        others = ", ".join(f"{n:,} days of {name} forecasts" for name, n in counts if name != kind)
        typer.echo(f"There are {others} to look at." if others else "Nothing has been scored yet.")
