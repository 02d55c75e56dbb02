"""deploy/dagster.yaml as it ships, on a real PostgreSQL: loaded, shown, and its queue and daemon at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from lambda_runtime import ROOT
from postgres import postgres
from processes import end_session

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

GRAPH = """
import dagster as dg

@dg.op
def work(context: dg.OpExecutionContext) -> None:
    context.log.info("worked")

@dg.job(tags={"btc/job": "daily_partition"})
def small_job() -> None:
    work()

defs = dg.Definitions(jobs=[small_job])
"""


@pytest.fixture(scope="module")
def database() -> Iterator[dict[str, str]]:
    with postgres() as given:
        yield given


@pytest.fixture
def home(tmp_path: Path, database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy/dagster.yaml").read_text())
    given = database | {"DAGSTER_HOME": str(tmp_path), "DAGSTER_LOGS_BUCKET": "logs"}
    given |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def local_parts(home: Path) -> None:
    """Run in processes here, logs on disk: all that is changed for this machine."""
    settings = yaml.safe_load((home / "dagster.yaml").read_text())
    settings["run_launcher"] = {"module": "dagster", "class": "DefaultRunLauncher"}
    del settings["compute_logs"]
    settings["run_monitoring"] = {"enabled": True, "poll_interval_seconds": 5}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))


def dagster(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("dagster")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_the_instance_is_what_the_file_says(home: Path) -> None:
    done = dagster("instance", "info")
    assert done.returncode == 0, done.stderr
    text = done.stdout.partition("Instance configuration:")[2].partition("Storage schema state:")[0]
    shown = yaml.safe_load("\n".join(line for line in text.splitlines() if not line.startswith("---")))
    assert "postgres" in text.lower()
    assert shown["run_launcher"]["class"] == "EcsRunLauncher"
    assert shown["run_retries"]["enabled"] is True
    assert shown["run_monitoring"]["enabled"] is True
    assert shown["concurrency"]["runs"]["max_concurrent_runs"] == 10
    assert "canary" not in done.stdout + done.stderr


def test_migrations_are_a_no_op_on_a_fresh_database(home: Path) -> None:
    local_parts(home)
    done = dagster("instance", "migrate")
    assert done.returncode == 0, done.stderr


def test_a_queued_run_is_taken_by_the_daemon_and_finishes_in_the_database(home: Path) -> None:
    import dagster as dg

    local_parts(home)
    (home / "graph.py").write_text(GRAPH)
    launched = dagster("job", "launch", "-f", str(home / "graph.py"), "-j", "small_job")
    assert launched.returncode == 0, launched.stderr
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs(filters=dg.RunsFilter(job_name="small_job"))
        assert run.status is dg.DagsterRunStatus.QUEUED
        daemon = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-f", str(home / "graph.py")]
        with (home / "daemon.log").open("w") as log:
            process = subprocess.Popen(daemon, stdout=log, stderr=log, env=os.environ, start_new_session=True)
        try:
            finished = wait_for_end(instance, run.run_id)
        finally:
            end_session(process)
    assert finished is dg.DagsterRunStatus.SUCCESS, (home / "daemon.log").read_text()[-4000:]


def wait_for_end(instance, run_id: str, seconds: float = 120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = instance.get_run_by_id(run_id)
        if run.is_finished:
            return run.status
        time.sleep(0.2)
    return run.status
