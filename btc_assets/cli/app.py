"""The ``btc`` command and its subcommands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from btc_assets import __version__
from btc_assets.cli import (
    backfill,
    backtest,
    backup,
    chance,
    daily,
    doctor,
    export,
    follow,
    forecast,
    forecaster,
    leaderboard,
    ledger,
    migrate,
    monitor,
    notify,
    settings,
    tune,
    up,
)

app = typer.Typer(
    name="btc",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Forecast the daily Bitcoin price, and prove how good the forecasts are.

    **Start here:** `btc up` loads the history, fits the networks, issues forecasts and serves Dagster on
    127.0.0.1:3000 and the web page on 127.0.0.1:8050. Ctrl-C stops it; the next start only catches up.

    **Then:** `btc forecast --days 14` prints a forecast, `btc chance above 100000 --days 30` how likely
    something is, `btc backtest --from 2024-01-01 --to 2024-12-31` how such forecasts did, `btc verify` proves
    when they were made.

    Days are UTC, written YYYY-MM-DD. Settings are `BTC_*` environment variables: `btc settings` lists them.
    """,
)


class Command(TyperCommand):
    """A subcommand whose help gives an option a type only where it takes a value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a flag shows no type."""
        found = super().get_params(ctx)
        for parameter in found:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return found


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"btc-assets {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    pass


app.command("up", cls=Command)(up.up)
app.command("backfill", cls=Command)(backfill.backfill)
app.command("forecast", cls=Command)(forecast.forecast)
app.add_typer(forecaster.forecaster, name="forecaster")
app.command("chance", cls=Command, context_settings=chance.CONTEXT)(chance.chance)
app.command("backtest", cls=Command)(backtest.backtest)
app.command("leaderboard", cls=Command)(leaderboard.leaderboard)
app.command("tune", cls=Command)(tune.tune)
app.command("export", cls=Command)(export.export)
app.command("verify", cls=Command)(ledger.verify)
app.command("rebuild", cls=Command)(ledger.rebuild)
app.add_typer(ledger.ledger, name="ledger")
app.command("backup", cls=Command)(backup.backup)
app.command("daily", cls=Command)(daily.daily)
app.command("follow", cls=Command)(follow.follow)
app.command("restore", cls=Command)(backup.restore)
app.command("migrate", cls=Command)(migrate.migrate_stores)
app.command("doctor", cls=Command)(doctor.doctor)
app.command("monitor", cls=Command)(monitor.monitor)
app.command("notify", cls=Command)(notify.notify)
app.command("settings", cls=Command)(settings.show_settings)
