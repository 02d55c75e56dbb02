"""Runs on several workers: deploy/workers/dagster.yaml on real PostgreSQL, Redis, daemon and Celery."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import psutil
from loopback import free_port
from postgres import postgres
from processes import end_session

from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import run_tags
from btc_assets.launch import EVENT_BATCHES

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent


@contextmanager
def redis() -> Iterator[str]:
    """The address of a Redis of Debian's package that keeps nothing."""
    assert shutil.which("redis-server"), "no redis-server; install it with: make test-images"
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def instance_for_workers(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of everything that shares the instance: ``DAGSTER_HOME``, PostgreSQL, Redis."""
    home = folder / "home"
    home.mkdir(parents=True)
    shutil.copy(ROOT / "deploy/workers/dagster.yaml", home)
    with postgres() as database, redis() as broker:
        yield {
            **database,
            **EVENT_BATCHES,
            "DAGSTER_HOME": str(home),
            "DAGSTER_LOGS_DIR": str(folder / "logs"),
            "CELERY_BROKER_URL": broker,
            "CELERY_RESULT_BACKEND": broker,
        }


def queue_backtest(windows: Iterable[Window]) -> None:
    """Put a run of the backtest over each window into the queue, as a person at the command line does."""
    for window in windows:
        what = ["-m", "btc_assets.definitions", "-j", "walk_forward", "--tags", json.dumps(run_tags(window))]
        command = [PROGRAMS / "dagster", "job", "launch", *what]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        assert "storing event batch" not in done.stderr, done.stderr[:2000]


@contextmanager
def workers(count: int, logs: Path) -> Iterator[list[psutil.Process]]:
    """Dagster's daemon and ``count`` workers, each with one run at a time, as compose.yaml starts them."""
    once = ["-l", "INFO", "-Q", "dagster", "-c", "1", "--max-tasks-per-child", "1", "--disable-prefetch"]
    celery = [PROGRAMS / "celery", "-A", "dagster_celery.app", "worker", *once]
    commands = {"daemon": [PROGRAMS / "dagster-daemon", "run", "-m", "btc_assets.definitions"]}
    commands |= {f"worker-{i}": [*celery, "-n", f"worker-{i}@%h"] for i in range(count)}
    with ExitStack() as stack:
        started = []
        for name, command in commands.items():
            log = stack.enter_context((logs / f"{name}.log").open("w"))
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ, start_new_session=True
            )
            stack.callback(end_session, process)
            started.append(psutil.Process(process.pid))
        yield started[1:]


def wait_for_runs(instance: dg.DagsterInstance, count: int, seconds: float = 900) -> list[dg.RunRecord]:
    """The ``count`` newest runs of the backtest once they have ended."""
    deadline = time.monotonic() + seconds
    while True:
        records = instance.get_run_records(filters=dg.RunsFilter(job_name="walk_forward"), limit=count)
        if all(record.dagster_run.is_finished for record in records) or time.monotonic() > deadline:
            return list(records)
        time.sleep(0.5)
