"""``btc doctor``: is everything there, readable, verified and fresh? The exit code tells."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import platform
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.io import retries
from btc_assets.settings import Settings, load

if TYPE_CHECKING:
    from btc_assets.health.finding import Finding, Surroundings

NEEDED = ("dagster", "polars", "deltalake", "onnxruntime", "dash", "tensorflow")
COLOURS = {"ok": "green", "warning": "yellow", "late": "yellow", "broken": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Examine source, clock, tables, models, ledger, disk and freshness of BTC_SYMBOL, within 10 seconds.

    Exit code 0: everything is there and fresh. 1: something is broken. 2: nothing is broken, but days are
    late. If `btc up` runs on this data folder, its page and its Dagster are examined too.
    """
    from btc_assets.health.finding import exit_code

    settings = load()
    for log in (retries.log, logging.getLogger("btc_assets.market")):  # the finding says it once
        log.setLevel(logging.CRITICAL)
    found = findings(settings)
    spoken = [each for each in found if " of " not in each.name]  # `days` speaks for its tables
    worst = exit_code(spoken)
    if as_json:
        states = {"exit_code": worst, "symbol": settings.symbol, "simulated": settings.simulated}
        typer.echo(json.dumps({**states, "findings": [dataclasses.asdict(each) for each in found]}, indent=2))
    else:
        for each in spoken:
            mark = typer.style(f"{each.state:<8}", fg=COLOURS[each.state])
            typer.echo(f"{mark}{each.name}: {each.detail}")
    raise typer.Exit(worst)


def findings(settings: Settings, site: Surroundings | None = None) -> list[Finding]:
    """All findings; each examination is on its own, and none may take longer than the deadline."""
    from btc_assets.health import examine as looks
    from btc_assets.health.context import HealthContext
    from btc_assets.health.services import as_served, is_up

    stored = (looks.TABLES, looks.LOGS, looks.ALL_MODELS, looks.DAYS, looks.ARENA, looks.IMPLIED)
    stores = (looks.SOURCE, *stored, looks.LEDGER, looks.DISK)
    services: tuple[looks.Examination, ...] = (looks.RECORDS,)
    if is_up(settings):
        settings, services = as_served(settings), looks.SERVICES
    return [environment(settings), *looks.examine(site or HealthContext(settings), [*stores, *services])]


def environment(settings: Settings) -> Finding:
    """Python's version and the packages that the graph and the page need."""
    from btc_assets.health.finding import Finding, State

    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    version = platform.python_version()
    if lacking:
        detail = f"Python {version} lacks {', '.join(lacking)}; run `make setup`"
        return Finding("environment", State.BROKEN, detail)
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding("environment", State.WARNING, f"Python {version}; 3.11 to 3.13 are tested")
    return Finding("environment", State.OK, f"Python {version}, data in {settings.root}")
