"""``btc doctor``: is everything there, readable, verified and fresh? The exit code tells."""

from __future__ import annotations

import datetime as dt
import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import typer

from btc_assets.errors import BtcError
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import NETWORKS

REQUIRED_PACKAGES = ("dagster", "polars", "deltalake", "onnxruntime", "dash", "tensorflow")


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check: ``ok``, ``warning`` or ``broken``, and what to do about it."""

    what: str
    state: str
    detail: str


def doctor() -> None:
    """Check environment, source, tables, models and freshness; exit code 1 if anything is broken."""
    settings = load()
    from rich.console import Console

    marks = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "broken": "[red]broken [/]"}
    console = Console()
    worst = 0
    for finding in run_checks(settings):
        console.print(f"{marks[finding.state]} {finding.what}: {finding.detail}", highlight=False)
        worst = max(worst, int(finding.state == "broken"))
    raise typer.Exit(worst)


def run_checks(settings: Settings) -> Iterator[Finding]:
    """Run every check; one that fails does not hide the others."""
    yield environment(settings)
    for what, check in CHECKS:
        try:
            yield check(settings)
        except BtcError as error:
            yield Finding(what, "broken", str(error))


def environment(settings: Settings) -> Finding:
    """Check Python's version and the packages that the graph and the page need."""
    lacking = [name for name in REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
    version = platform.python_version()
    if lacking:
        return Finding(
            "environment", "broken", f"Python {version} lacks {', '.join(lacking)}; run `make setup`"
        )
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding("environment", "warning", f"Python {version}; 3.11 to 3.13 are tested")
    return Finding("environment", "ok", f"Python {version}, data in {settings.root}")


def source(settings: Settings) -> Finding:
    """Check that the source answers, and its clock."""
    from btc_assets.market.sources.factory import open_source

    opened = open_source(settings)
    now = opened.now()
    label = "SIMULATED market" if opened.simulated else settings.source
    if opened.has_clock and abs(now - dt.datetime.now(dt.UTC)) > dt.timedelta(minutes=5):
        return Finding("source", "warning", f"{label}: its clock says {now:%Y-%m-%d %H:%M} UTC, ours differs")
    return Finding("source", "ok", f"{label} answers; data up to {now:%Y-%m-%d %H:%M} UTC")


def tables(settings: Settings) -> Finding:
    """Check that every table that exists can be read and hashes to what was written."""
    from btc_assets.cli.tables import all_tables
    from btc_assets.factory import open_tables

    store = open_tables(settings)
    counts = {
        name: store.read(spec, columns=[spec.day]).height
        for name, spec in all_tables().items()
        if store.exists(spec)
    }
    if not counts:
        return Finding("tables", "broken", f"none in {settings.root}; run `btc up` or `btc backfill`")
    return Finding("tables", "ok", ", ".join(f"{name} {rows:,}" for name, rows in counts.items()))


def models(settings: Settings) -> Finding:
    """Check that every registered vintage hashes to what was registered."""
    from btc_assets.factory import open_registry

    registry = open_registry(settings)
    refs = [ref for kind in NETWORKS for ref in registry.versions(kind)]
    for ref in refs:
        registry.model_folder(ref)
    if not refs:
        return Finding("models", "broken", f"no vintage in {settings.root}; run `btc up` or `btc backfill`")
    return Finding("models", "ok", f"{len(refs)} vintages verified, newest {max(r.vintage for r in refs)}")


def freshness(settings: Settings) -> Finding:
    """Check the age of the newest candle and the newest forecast."""
    from btc_assets.contracts import FORECASTS, RAW_KLINES
    from btc_assets.factory import open_tables
    from btc_assets.market.calendar import last_closed_day

    store = open_tables(settings)
    newest = [
        max(store.read(s, columns=[s.day])[s.day].to_list(), default=None) for s in (RAW_KLINES, FORECASTS)
    ]
    expected = last_closed_day(dt.datetime.now(dt.UTC))
    said = f"candles to {newest[0]}, forecasts from {newest[1]}, the newest closed day is {expected}"
    return Finding("freshness", "ok" if newest == [expected, expected] else "warning", said)


CHECKS: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
    ("source", source),
    ("tables", tables),
    ("models", models),
    ("freshness", freshness),
)
