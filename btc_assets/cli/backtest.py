"""``btc backtest``: a walk-forward over past days with the production assets, and its score table."""

from __future__ import annotations

import datetime as dt
import os
from typing import Annotated

import typer

from btc_assets.cli.backfill import run_with_progress
from btc_assets.cli.options import day_range
from btc_assets.extras import require_extras
from btc_assets.market.calendar import DAY
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import ARENA_ASSET, BACKTEST_JOB, FORECAST_ASSETS


def backtest(
    start: Annotated[str, typer.Option("--from", help="First origin, YYYY-MM-DD (UTC, included).")],
    end: Annotated[str, typer.Option("--to", help="Last origin, YYYY-MM-DD (UTC, included).")],
    refit_every: Annotated[
        int | None, typer.Option(min=1, max=365, help="Days between refits; BTC_REFIT_EVERY unless given.")
    ] = None,
) -> None:
    """Forecast from every past day as if it were today, score what has matured, and print the table.

    This is a backfill of the ordinary assets: each vintage is fitted on what was known at its cutoff. It
    can be interrupted; the next start finds the vintages that are fitted already and goes on.
    """
    require_extras("graph", "train", purpose="`btc backtest`")
    first, after = day_range(start, end)
    settings = load(refit_every=refit_every)
    os.environ["BTC_REFIT_EVERY"] = str(settings.refit_every)  # where the assets of the run read it
    run_with_progress(settings, BACKTEST_JOB, first, after, (*FORECAST_ASSETS, ARENA_ASSET))
    typer.echo(score_table(settings, first, after))


def score_table(settings: Settings, first: dt.date, after: dt.date) -> str:
    """Return the score table of all models and baselines over origins in [first, after)."""
    import polars as pl

    from btc_assets.contracts import FORECAST_SCORES
    from btc_assets.factory import open_pair
    from btc_assets.scoring.summary import render

    scores = open_pair(settings).read(FORECAST_SCORES, start=first + DAY)
    mine = scores.filter(pl.col("origin_date").is_between(first, after - DAY))
    label = "SIMULATED prices\n" if settings.simulated else ""
    return label + render(mine)
