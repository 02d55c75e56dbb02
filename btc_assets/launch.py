"""Run the graph from a program: a window of days in this process, on the data folder's own instance."""

from __future__ import annotations

import datetime as dt
import logging
import os
import platform
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher

from btc_assets.defs.instance import EVENT_BATCHES, creating, prepare_home
from btc_assets.defs.origin import visible_runs
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import UNFINISHED, run_tags
from btc_assets.errors import BtcError
from btc_assets.health.dagster_records import explaining
from btc_assets.settings import Settings
from btc_assets.supervision.process_identity import is_running, this_process
from btc_assets.vocabulary import HOST_TAG, LAUNCHED_BY_TAG, WORKER_TAG

QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
"""A run's terminal shows our one sentence; Dagster's own log has it all."""


class RunFailed(BtcError):
    """A run of the graph failed; the message is the failing step's own."""


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the Dagster instance of the data folder; the first use creates it with sound defaults.

    Raises:
        StorageError: its records are damaged, locked, or cannot be written.
    """
    home = prepare_home(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ.update(EVENT_BATCHES)
    _relax_sqlite_sync()
    with explaining(home), creating(home):
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs_count()
        instance.all_instigator_state()
    return instance


def _relax_sqlite_sync() -> None:
    """Make SQLite sync at checkpoints only: Dagster commits four times a partition, and a sync takes ms.

    In WAL mode this survives the death of the process; a power cut may lose the newest events of Dagster's
    log, never its consistency, and the tables do not depend on it.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _sync_normal):
        event.listen(Engine, "connect", _sync_normal)


def _sync_normal(connection: object, _record: object) -> None:
    import sqlite3

    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")


def run_window(
    instance: dg.DagsterInstance,
    job: str,
    window: Window,
    assets: Sequence[str] | None = None,
    on_progress: Callable[[float], None] | None = None,
    config: dict[str, Any] | None = None,
    launched_by: str = "",
) -> None:
    """Materialise ``window`` with ``job`` in this process.

    Args:
        job: name of a job with daily partitions, see `btc_assets.vocabulary`.
        window: the UTC days [start, end).
        assets: which of the job's assets; all of them unless given.
        on_progress: called with the fraction done, 0 to 1.
        config: run config, as Dagster takes it.
        launched_by: what launched it, for a tag of the run.

    Raises:
        RunFailed: a step failed; what was materialised before it stays.
    """
    from btc_assets.definitions import defs

    listener = None
    if on_progress is not None:
        count = len(assets or list(defs.resolve_job_def(job).asset_layer.executable_asset_keys))
        listener = _ProgressListener(2 * count * len(window.days), on_progress)
    tags = run_tags(window) | ({LAUNCHED_BY_TAG: launched_by} if launched_by else {})
    _run(instance, job, f"{job} over {window}", tags, listener, assets, config)


def run_job(
    instance: dg.DagsterInstance,
    job: str,
    config: dict[str, Any] | None = None,
    on_log: Callable[[str], None] | None = None,
) -> None:
    """Run ``job``, which has no partitions, in this process; ``on_log`` is called with what its assets log.

    Raises:
        RunFailed: a step failed.
    """

    def listener(entry: dg.EventLogEntry) -> None:
        if on_log is not None and entry.dagster_event is None and entry.level == logging.INFO:
            on_log(entry.user_message)

    _run(instance, job, job, {}, listener, None, config)


def _run(
    instance: dg.DagsterInstance,
    job: str,
    what: str,
    tags: dict[str, str],
    listener: Callable[[dg.EventLogEntry], None] | None,
    assets: Sequence[str] | None,
    config: dict[str, Any] | None,
) -> None:
    from btc_assets.definitions import defs

    run_id = str(uuid.uuid4())
    if listener is not None:
        instance.add_event_listener(run_id, listener)
    with explaining(Path(instance.root_directory)), visible_runs(instance, job) as origin:
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            tags={**tags, **origin, WORKER_TAG: this_process(), HOST_TAG: platform.node()},
            run_config={"loggers": QUIET, **(config or {})},
            asset_selection=[dg.AssetKey([a]) for a in assets] if assets else None,
            raise_on_error=False,
        )
    if not result.success:
        raise RunFailed(f"{what} failed: {_first_error(result)}")


class _ProgressListener:
    """Counts planned and finished partitions as their events are stored."""

    def __init__(self, expected: int, on_progress: Callable[[float], None]) -> None:
        self.expected, self.on_progress, self.count = expected, on_progress, 0

    def __call__(self, entry: dg.EventLogEntry) -> None:
        kinds = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        if entry.dagster_event is not None and entry.dagster_event.event_type in kinds:
            self.count += 1
            if self.count % 50 == 0:
                self.on_progress(min(1.0, self.count / self.expected))


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return failure.user_failure_data.description
            error = failure.error
            if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
                return f"it was interrupted at {event.step_key}; what was done stays; run it again to go on"
            cause = error.cause if error is not None and error.cause is not None else error
            return f"{event.step_key}: {cause.message.strip() if cause else 'no reason was recorded'}"
    return "Dagster's UI shows the run's log"


def fail_orphaned_runs(instance: dg.DagsterInstance, *, began_before: dt.datetime | None = None) -> list[str]:
    """Mark runs whose process died (power cut, kill -9) as failed and free their pool slots.

    Args:
        began_before: what Dagster's daemon launched before then is dead, too, since no process of the
            daemon of that time is left: what is queued stays queued. None: judge no run of a daemon.

    Returns:
        Their run ids.
    """
    orphaned = []
    if _is_shared(instance):
        began_before = None  # the daemon's runs are on other machines, whose end Dagster's monitoring sees
    for record in instance.get_run_records(filters=dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        worker = run.tags.get(WORKER_TAG)
        if worker is None:
            queued = run.status == dg.DagsterRunStatus.QUEUED
            if queued or began_before is None or _utc(record.update_timestamp) > began_before:
                continue
        elif not is_dead(instance, run):
            continue
        instance.report_run_failed(run, "the process that ran it is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        orphaned.append(run.run_id)
    return orphaned


def is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether the process that executes ``run`` itself is gone, as far as this machine can tell.

    Where several machines share ``instance``, a run of another one is never judged: Dagster's monitoring
    ends it once it has taken too long.
    """
    elsewhere = run.tags.get(HOST_TAG, platform.node()) != platform.node()
    return not (elsewhere and _is_shared(instance)) and not is_running(run.tags[WORKER_TAG])


def _is_shared(instance: dg.DagsterInstance) -> bool:
    """Return whether runs are launched on other machines, which then share Dagster's records."""
    return not isinstance(instance.run_launcher, DefaultRunLauncher)


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
