"""What `btc up` says in the terminal: how far the start is, whether all is ready, what fills the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from btc_assets.cli.options import SOURCE_DOWN
from btc_assets.errors import BtcError, SourceError
from btc_assets.settings import Settings

if TYPE_CHECKING:
    from btc_assets.supervision.processes import ManagedProcess

WATCH_SECONDS = 20.0
"""Between two looks at whether the code location is still loaded."""

LONGEST_SILENCE = 120.0
"""Seconds after which a Dagster that does not answer is said to be not ready."""

ENDED = "ended"


def show_progress(settings: Settings, worker: ManagedProcess, check: Callable[[], None]) -> None:
    """Show one progress bar until the worker is done, and ``check`` meanwhile; a line a step where piped.

    Raises:
        SourceError: the worker could not reach the source.
        BtcError: the worker or a server failed; shows the end of its log.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from btc_assets.io.disk import write_fault
    from btc_assets.io.progress import read

    columns = (TextColumn("{task.description:<38}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TimeElapsedColumn(), TextColumn("{task.fields[detail]}"))  # fmt: skip
    with Bars(*columns) as bars:
        task, step = bars.add_task("Starting", total=1.0, detail=""), 0
        while worker.alive:
            check()
            if (now := read(settings.root)) is not None:
                detail = ", ".join(filter(None, (now.remaining, now.detail)))
                bars.update(task, description=now.title, completed=now.share, detail=detail)
                if now.step > step and not bars.console.is_terminal:
                    typer.echo(f"{now.title} ...")
                step = now.step
            time.sleep(0.1)
        if worker.popen.returncode == 0:
            bars.update(task, description="Up to date", completed=1.0, detail="")
    if worker.popen.returncode != 0:
        kind = SourceError if worker.popen.returncode == SOURCE_DOWN else BtcError
        said = worker.log_tail() or write_fault(worker.log.parent) or "it said nothing"
        raise kind(f"catching up failed:\n{said}\nThe whole log is {worker.log}.")


class RecordBackfill:
    """The process that fills the track record backwards, and what a terminal reads of it."""

    def __init__(self, settings: Settings, start: Callable[[], ManagedProcess]) -> None:
        self._settings, self._start = settings, start
        self._process: ManagedProcess | None = None
        self._said = ""

    def begin(self) -> None:
        """Start it, once, unless the settings say that there shall be none."""
        if self._settings.record_days and self._process is None:
            self._process = self._start()

    def say(self) -> None:
        """Say how far it has come, a line a run of it, and once how it ended."""
        from btc_assets.io.progress import RECORD, read

        if self._process is None or self._said == ENDED:
            return
        if not self._process.alive:
            failed, self._said = self._process.popen.returncode != 0, ENDED
            if failed:
                why = self._process.log_tail(1).removeprefix("btc: ")
                said = f"The track record is not filled further, the next start goes on: {why}"
                typer.secho(said, fg="yellow", err=True)
            return
        now = read(self._settings.root, RECORD)
        if now is not None and now.title != self._said and now.seconds_left is not None:
            self._said = now.title
            typer.echo(f"{now.title}, {now.remaining} (BTC_RECORD_DAYS=0 turns this off)")


def watch(
    settings: Settings,
    page: bool,
    check: Callable[[], None],
    on_answer: Callable[[], object],
    on_ready: Callable[[], None],
) -> None:
    """Say Ready once Dagster has loaded the code location, and whenever it fails to; ends by an exception.

    Args:
        check: called several times a second.
        on_answer: called once, when it is first known whether Dagster is ready, or that it does not answer.
        on_ready: called each time when it is.
    """
    from btc_assets.health.context import HealthContext
    from btc_assets.health.finding import State
    from btc_assets.health.services import examine_dagster

    ready = ready_line(settings, page)
    said: State | None = None
    overdue = time.monotonic() + LONGEST_SILENCE
    while True:
        found = examine_dagster(HealthContext(settings))[-1]
        known = found.name == "code_location" or (said is None and time.monotonic() > overdue)
        if known and found.state is not said and found.state is not State.WARNING:
            if said is None:
                on_answer()
            said = found.state
            typer.secho(ready if found.good else f"NOT ready: {found.detail}", bold=True)
            if found.good:
                on_ready()
        end = time.monotonic() + (0.2 if said is None else WATCH_SECONDS)
        while time.monotonic() < end:
            check()
            time.sleep(0.2)


def ready_line(settings: Settings, page: bool) -> str:
    """Say where what is served here is found."""
    dagster = f"{settings.dagster_url} (Dagster)"
    if page:
        return f"Ready: {settings.web_url} (page), {dagster}. Ctrl-C stops both."
    return f"Ready: {dagster}. Ctrl-C stops it."
