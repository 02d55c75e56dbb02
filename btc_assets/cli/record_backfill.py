"""The worker that `btc up` starts when all is ready: it fills the track record backwards, out of the way.

Run as ``python -m btc_assets.cli.record_backfill``. It backfills the ordinary assets, four weeks a run, the
newest first, so that what it makes is back-filled as any other old day and has seen no later one. It runs at
the lowest priority, and gives way to every other run: it begins none while there is one, and cancels its own.
What it has fitted stays, so that the next start goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from btc_assets.cli.give_way import LOOK_EVERY, asked_to_end, giving_way, listen_for_end, unfinished_runs
from btc_assets.errors import BtcError
from btc_assets.io import progress
from btc_assets.market.calendar import DAY, days
from btc_assets.settings import Settings, load
from btc_assets.vocabulary import BACKTEST_JOB, ISSUING_ASSET, RECORD_BACKFILL

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from btc_assets.defs.partitions import Window

CHUNK = 28
"""Days a run: with a refit a week, four of each network."""

WAITING = "waiting for another run"

STEPS = {
    "forecasting without a model": 1.0,
    "fitting the LSTM": 20.0,
    "fitting the MLP": 10.0,
    "issuing forecasts": 3.0,
    "scoring": 2.0,
    "scoring chances": 3.0,
}
"""What a run does, in order, and about how many seconds each step takes."""


@dataclass(frozen=True)
class RecordDepth:
    """The days of the record that is wanted: how many, and which of them have no forecast, oldest first."""

    wanted: int
    missing: list[dt.date]

    @property
    def done(self) -> int:
        """How many days have their forecast."""
        return self.wanted - len(self.missing)

    def next_window(self) -> Window:
        """Return the newest of the missing days that one run takes."""
        from btc_assets.defs.partitions import Window
        from btc_assets.defs.runs import windows

        newest = windows(self.missing)[-1]
        return Window(max(newest.start, newest.end - CHUNK * DAY), newest.end)


def record_depth(settings: Settings) -> RecordDepth:
    """Read how far the record reaches, of the days that ``BTC_RECORD_DAYS`` asks for and that can be had.

    They are counted back from the newest forecast. Before the first of them there must be as many candles as
    a fit needs; a day without a candle needs no forecast.
    """
    from btc_assets.contracts import RAW_KLINES
    from btc_assets.factory import open_pair
    from btc_assets.health.table_days import table_days
    from btc_assets.market.calendar import FIRST_DAY
    from btc_assets.modeling.hyperparameters import MAX_WINDOW
    from btc_assets.modeling.samples import fewest_candles

    tables = table_days(open_pair(settings), settings.symbol, FIRST_DAY)
    issued, candles = tables[ISSUING_ASSET], sorted(tables[RAW_KLINES.name].present)
    needed = fewest_candles(MAX_WINDOW) + settings.refit_every
    if issued.newest is None or len(candles) <= needed:
        return RecordDepth(0, [])
    first = max(candles[needed], issued.newest - (settings.record_days - 1) * DAY)
    wanted = [day for day in days(first, issued.newest + DAY) if day not in issued.excused]
    return RecordDepth(len(wanted), [day for day in wanted if day not in issued.present])


def fill(settings: Settings, instance: DagsterInstance) -> None:
    """Fill the record backwards, a run after the other, until it is filled or this process is asked to end.

    Raises:
        BtcError: a run failed, or issued nothing.
    """
    found, began = record_depth(settings), time.monotonic()
    start, last = found.done, None
    while found.missing and not asked_to_end():
        window = found.next_window()
        if window == last:
            raise BtcError(f"{window} was run and has no forecasts still")
        _follow(found, window, start, began)
        if _other_run(settings, instance):
            continue
        last = window if _ran(instance, window) else None
        found = record_depth(settings)


def _follow(found: RecordDepth, window: Window, start: int, began: float) -> None:
    """Report what the run over ``window`` does as its part of the whole."""
    done, wanted = found.done, found.wanted
    progress.follow(
        progress.Plan(
            STEPS,
            progress.RECORD,
            f"filling the track record backwards, {done:,} of {wanted:,} days done",
            begins=done / wanted,
            ends=(done + len(window.days)) / wanted,
            began_at=start / wanted,
            since=began,
        )
    )


def _other_run(settings: Settings, instance: DagsterInstance) -> bool:
    """Return whether another run is queued or under way, after waiting a moment if there is one."""
    if not unfinished_runs(instance)[1]:
        return False
    progress.report(settings.root, WAITING, 0.0)
    time.sleep(2 * LOOK_EVERY)
    return True


def _ran(instance: DagsterInstance, window: Window) -> bool:
    """Run ``window``; return False if it gave way. RunFailed: a step failed by itself."""
    from btc_assets.launch import RunFailed, run_window

    with giving_way(instance) as cancelled:
        try:
            run_window(instance, BACKTEST_JOB, window, launched_by=RECORD_BACKFILL)
        except RunFailed:
            if not cancelled.is_set():
                raise
    return not cancelled.is_set()


def lower_priority() -> None:
    """Let this process have what no other wants, of processor and disk."""
    import psutil

    os.nice(19)
    if psutil.LINUX:
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def main() -> None:
    """Fill the record with the environment's settings; one sentence and exit code 1 where that fails."""
    listen_for_end()
    lower_priority()
    settings = load()
    from btc_assets.launch import open_instance

    try:
        with open_instance(settings) as instance:
            fill(settings, instance)
    except BtcError as error:
        print(f"btc: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        progress.done(settings.root, progress.RECORD)


if __name__ == "__main__":
    main()
