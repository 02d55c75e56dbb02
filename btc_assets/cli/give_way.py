"""Cancel the run of this process when another run wants to work, or when the process is asked to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from btc_assets.supervision.process_identity import this_process
from btc_assets.vocabulary import WORKER_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

LOOK_EVERY = 0.5
"""Seconds between two looks for a reason to give way."""

AGAIN_AFTER = 60
"""Looks after which a run that has not stopped is interrupted again."""


END = signal.SIGUSR1
"""The signal that asks this process to end. Dagster takes SIGTERM and SIGINT of a run for a failure of it."""

_asked = threading.Event()


def listen_for_end() -> None:
    """Note `END` when it comes, for `asked_to_end`; to be called in the main thread."""
    signal.signal(END, lambda *_: _asked.set())
    signal.signal(signal.SIGINT, signal.default_int_handler)


def asked_to_end() -> bool:
    """Return whether `END` has come since `listen_for_end`."""
    return _asked.is_set()


def unfinished_runs(instance: DagsterInstance) -> tuple[list[DagsterRun], list[DagsterRun]]:
    """Return the runs that this process executes, and all others that are queued or under way.

    One whose process is gone is neither: the next start marks it as failed.
    """
    from dagster import RunsFilter

    from btc_assets.defs.runs import UNFINISHED
    from btc_assets.launch import is_dead

    own, others = [], []
    for run in instance.get_runs(filters=RunsFilter(statuses=UNFINISHED)):
        worker = run.tags.get(WORKER_TAG)
        if worker == this_process():
            own.append(run)
        elif worker is None or not is_dead(instance, run):
            others.append(run)
    return own, others


@contextlib.contextmanager
def giving_way(instance: DagsterInstance) -> Iterator[threading.Event]:
    """Cancel what runs inside once another run is there or this process is asked to end; yields whether.

    The main thread is interrupted: whatever it had published stays, the rest is as if it had not begun.
    """
    over, cancelled = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_look, args=(instance, over, cancelled), daemon=True)
    watcher.start()
    try:
        yield cancelled
    except KeyboardInterrupt:
        if not cancelled.is_set():
            raise
    finally:
        over.set()
        watcher.join()
        if cancelled.is_set():
            _clean_up(instance)


def _look(instance: DagsterInstance, over: threading.Event, cancelled: threading.Event) -> None:
    looks = 0
    while not over.wait(LOOK_EVERY):
        own, others = unfinished_runs(instance)
        if not cancelled.is_set() and (others or asked_to_end()):
            cancelled.set()
            for run in own:
                instance.report_run_canceling(run)
        if cancelled.is_set() and not over.is_set():
            if looks % AGAIN_AFTER == 0:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            looks += 1


def _clean_up(instance: DagsterInstance) -> None:
    """Mark what is left of a cancelled run as cancelled, and free its place in the pools."""
    for run in unfinished_runs(instance)[0]:
        instance.report_run_canceled(run)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
