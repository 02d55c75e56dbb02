"""The ``btc`` command and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from btc_assets import __version__
from btc_assets.cli import (
    backfill,
    backtest,
    backup,
    chance,
    doctor,
    export,
    forecast,
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


app.command("up")(up.up)
app.command("backfill")(backfill.backfill)
app.command("forecast")(forecast.forecast)
app.command("chance", context_settings=chance.CONTEXT)(chance.chance)
app.command("backtest")(backtest.backtest)
app.command("tune")(tune.tune)
app.command("export")(export.export)
app.command("verify")(ledger.verify)
app.command("rebuild")(ledger.rebuild)
app.add_typer(ledger.ledger, name="ledger")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(migrate.migrate_stores)
app.command("doctor")(doctor.doctor)
app.command("monitor")(monitor.monitor)
app.command("notify")(notify.notify)
app.command("settings")(settings.show_settings)
