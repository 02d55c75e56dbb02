"""The operator's process in the soak: told what time it is, it does what the daemon would do then.

Forked from a server that has imported all of this and used none of it, so that a start costs a moment. The
clock of the process is the step's; everything else is real.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dagster as dg
import matplotlib.backends.backend_agg
import onnxruntime
import time_machine

import btc_assets.definitions
from btc_assets.defs.automation.catch_up_sensor import catch_up
from btc_assets.defs.automation.schedules import daily_at_0005_utc
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import missing_days, windows
from btc_assets.errors import BtcError
from btc_assets.health.table_days import table_days
from btc_assets.launch import RunFailed, fail_orphaned_runs, open_instance, run_window
from btc_assets.market.calendar import days, last_closed_day
from btc_assets.settings import load

assert matplotlib
assert onnxruntime
for module in (
    "alembic.command",
    "binance.spot",
    "btc_assets.event_log",
    "btc_assets.market.sources.binance",
    "btc_assets.market.http_session",
    "btc_assets.storage.delta.store",
    "btc_assets.storage.registry.folder",
    "dagster._core.execution.execute_in_process",
    "dagster._core.instance.factory",
    "dagster._core.remote_representation",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._daemon",
    "dagster._scheduler",
):
    with suppress(ImportError):  # what is imported late in the product; only a start's speed hangs on it
        import_module(module)


def serve(steps: Connection, environment: dict[str, str], log: Path, first: dt.datetime) -> None:
    """Do every step that comes, and answer each with what failed and what is missing, until they end.

    What a person can act on ends this process as it ends ``btc``: in one sentence.
    """
    redirect_output(log)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    try:
        do_steps(steps, first)
    except BtcError as error:
        sys.exit(f"btc: {error}")


def do_steps(steps: Connection, first: dt.datetime) -> None:
    """Do each step at its time, and reply; the clock begins at ``first``."""
    with time_machine.travel(first, tick=True) as clock, open_instance(load()) as instance:
        fail_orphaned_runs(instance)
        steps.send("ready")
        while True:
            step = steps.recv()
            clock.move_to(step["at"])
            with limited_disk(step.get("room")):
                failed = run(instance, step)
            steps.send({"failed": failed, "missing": missing(instance)})


def redirect_output(log: Path) -> None:
    """Let what this process says, and what it imports says, go into ``log``."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def run(instance: dg.DagsterInstance, step: dict[str, Any]) -> list[str]:
    """Do one step; what failed, in words. Any other error ends this process, as it does a worker."""
    failed = []
    for window, assets in requested_windows(instance, step):
        try:
            run_window(instance, step.get("job", "daily_partition"), window, assets)
        except RunFailed as error:
            failed.append(str(error))
    return failed


def requested_windows(
    instance: dg.DagsterInstance, step: dict[str, Any]
) -> list[tuple[Window, list[str] | None]]:
    """The windows (and assets) that the real schedule or the real sensor asks for."""
    if step["do"] == "range":
        return [(window, None) for window in windows(days(step["start"], step["end"]))]
    if step["do"] == "schedule":
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=step["at"], resources={"platform": Platform()}
        )
        request = daily_at_0005_utc(context)
        requests = [request] if isinstance(request, dg.RunRequest) else []
    else:
        looking = dg.build_sensor_context(
            instance=instance, definitions=btc_assets.definitions.defs, resources={"platform": Platform()}
        )
        result = catch_up(looking)
        requests = list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []
    found = []
    for request in requests:
        first = request.tags.get("dagster/asset_partition_range_start") or request.tags["dagster/partition"]
        last = request.tags.get("dagster/asset_partition_range_end") or first
        window = Window(dt.date.fromisoformat(first), dt.date.fromisoformat(last) + dt.timedelta(days=1))
        found.append((window, [key.to_user_string() for key in request.asset_selection or []] or None))
    return found


def missing(instance: dg.DagsterInstance) -> int:
    """Partitions that lack up to the newest closed day."""
    site = Platform()
    due = last_closed_day(dt.datetime.now(dt.UTC))
    lacking = missing_days(instance, table_days(site.tables, site.settings.symbol, due))
    return sum(map(len, lacking.values()))


@contextmanager
def limited_disk(room: int | None) -> Iterator[None]:
    """No file may grow beyond ``room`` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
