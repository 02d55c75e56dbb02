"""``btc forecaster``: which forecasters there are, and whether one keeps the rules of the arena."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btc_assets.cli.options import AsJson
from btc_assets.errors import ConfigurationError
from btc_assets.settings import load

if TYPE_CHECKING:
    from btc_assets.forecasters.check import CheckReport

forecaster = typer.Typer(no_args_is_help=True, help="Forecasters that compete: list them, try one.")


@forecaster.command("list")
def list_forecasters(as_json: AsJson = False) -> None:
    """List every forecaster that is installed, who brings it, and what is wrong with it; imports none."""
    from btc_assets.forecasters.discovery import chosen, entrants

    running = {each.name for each in chosen(load().forecasters)}
    rows = [asdict(each) | {"chosen": each.name in running} for each in entrants()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = row["problem"] or ("in the arena" if row["chosen"] else "not chosen")
        typer.echo(f"{row['name']:<24} {row['package']:<20} {state}")


@forecaster.command("check")
def check_forecaster(
    name: Annotated[str, typer.Argument(help="A registered name, or module:attribute from this folder.")],
    seconds: Annotated[float, typer.Option("--seconds", help="How long a forecast may take.")] = 60.0,
    memory: Annotated[int, typer.Option("--memory", help="How much memory it may use, MiB.")] = 2048,
    as_json: AsJson = False,
) -> None:
    """Try a forecaster on simulated candles: a line a rule, exit code 1 if one is broken."""
    from btc_assets.forecasters.check import check
    from btc_assets.forecasters.discovery import find
    from btc_assets.forecasters.worker_process import Limits

    if seconds <= 0 or memory < 1:
        raise ConfigurationError("--seconds and --memory must be more than 0")
    if ":" in name:
        sys.path.append(str(Path.cwd()))
    report = check(find(name), Limits(seconds=seconds, memory_mb=memory))
    typer.echo(_json(report) if as_json else _text(report))
    raise typer.Exit(0 if report.ok else 1)


def _text(report: CheckReport) -> str:
    lines = [f"{'ok  ' if each.kept else 'FAIL'} {each.rule:<16} {each.said}" for each in report.results]
    broken = sum(1 for each in report.results if not each.kept)
    verdict = "keeps every rule" if report.ok else f"breaks {broken} of {len(lines)} rules"
    return "\n".join([*lines, f"{report.name} {verdict}"])


def _json(report: CheckReport) -> str:
    rules = [{"rule": each.rule, "ok": each.kept, "said": each.said} for each in report.results]
    document = {"name": report.name, "version": report.version, "ok": report.ok}
    document |= {"seconds": round(report.seconds, 3), "peak_mb": round(report.peak_mb), "rules": rules}
    return json.dumps(document, indent=2)
