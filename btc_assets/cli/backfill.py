"""``btc backfill``: materialise a range of days from the command line, as Dagster's UI would."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from btc_assets.cli.options import closed_day, day_range, many_of
from btc_assets.io import progress
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import ARENA_ASSET, DAILY_ASSETS, DAILY_JOB


def backfill(
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD (UTC, included).")],
    end: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD (UTC, included).")],
    assets: Annotated[
        list[str] | None,
        typer.Option(help="Assets, comma-separated or repeated; all of the daily graph unless named."),
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option(help="A day whose price jump you have looked at and let pass; repeatable."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A day that shall do without its 4-hour candles; repeatable.")
    ] = None,
) -> None:
    """Materialise the days from --from to --to in one run; days that are there already change nothing."""
    first, after = day_range(start, end)
    known = (*DAILY_ASSETS, ARENA_ASSET)
    chosen = many_of(",".join(assets), known, "asset") if assets else known
    released = [str(closed_day(day, "--release")) for day in release or []]
    spared = [str(closed_day(day, "--without")) for day in without or []]
    config = {"raw_klines": {"released_days": released}, "raw_klines_4h": {"days_without": spared}}
    ops = {asset: {"config": given} for asset, given in config.items() if any(given.values())}
    run_with_progress(load(), DAILY_JOB, first, after, chosen, {"ops": ops} if ops else None)
    typer.echo(f"materialised {', '.join(chosen)} for {start} to {end}")


def run_with_progress(
    settings: Settings,
    job: str,
    first: dt.date,
    after: dt.date,
    assets: Sequence[str],
    config: dict[str, Any] | None = None,
) -> None:
    """Run ``job`` over [first, after) in this process with a progress bar; a line now and then if piped."""
    from rich.progress import Progress as Bars

    from btc_assets.defs.partitions import Window
    from btc_assets.launch import fail_orphaned_runs, open_instance, run_window

    window = Window(first, after)
    with open_instance(settings) as instance, Bars(transient=True) as bars:
        fail_orphaned_runs(instance)
        task = bars.add_task(f"{job} {window}", total=1.0)
        lines = None if bars.console.is_terminal else ProgressLines()
        try:
            with lines or contextlib.nullcontext():
                run_window(
                    instance, job, window, assets, lambda part: bars.update(task, completed=part), config
                )
        finally:
            progress.done(settings.root)


class ProgressLines(threading.Thread):
    """Prints a line about this process's work now and then, on standard error: for logs and pipes."""

    EVERY = 20.0
    """Seconds between two lines."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._over, self._said = threading.Event(), ""

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Print what is new until the work is over."""
        while not self._over.wait(self.EVERY):
            self.say()

    def say(self) -> None:
        """Print how far the work has come, if that is new."""
        now = progress.reported()
        line = f"{now.title}, {now.fraction:.0%}: {now.detail}" if now else ""
        if line and line != self._said:
            self._said = line
            typer.echo(line, err=True)
