"""Dagster's three processes from one: they come up, the code server comes again, none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from dagster_webserver import ask
from loopback import free_port
from processes import end_session

from btc_assets.health.context import HealthContext
from btc_assets.health.finding import Finding
from btc_assets.health.services import address_of, examine_dagster
from btc_assets.settings import Settings, load

BROKEN = "raise RuntimeError('the roof is gone')\n"
MENDED = """import dagster

@dagster.op
def nothing(): ...

@dagster.job
def idle(): nothing()

defs = dagster.Definitions(jobs=[idle])
"""
LAUNCH = """mutation { launchRun(executionParams: {
  selector: {jobName: "idle", repositoryName: "__repository__", repositoryLocationName: "some_code"}}) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class Dev:
    """A real ``python -m btc_assets.webserver.dev`` over a module of its own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.module, self.log = folder / "some_code.py", folder / "log"
        self.module.write_text(BROKEN)
        (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        command = ["-m", "btc_assets.webserver.dev", "--module", "some_code", "--port", str(port)]
        environment = os.environ | {"DAGSTER_HOME": str(folder)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.settings: Settings = load(
            {}, source="simulated", data_dir=str(folder / "data"), dagster_port=port
        )

    def code_location(self) -> Finding:
        """What is known of it, last of all that is known of Dagster."""
        return examine_dagster(HealthContext(self.settings))[-1]

    def daemon_lives(self) -> bool:
        """Whether every part of it that is needed has sent a heartbeat."""
        query = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
        found = ask(address_of(self.settings), query)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(each["healthy"] for each in found if each["required"])

    def children(self) -> list[psutil.Process]:
        """Code server, webserver, daemon."""
        return psutil.Process(self.process.pid).children()

    def wait_for(self, what: str, reached: Callable[[], object]) -> None:
        end = time.monotonic() + 150
        while not reached():
            assert self.process.poll() is None, f"{what}: {self.log.read_text()}"
            assert time.monotonic() < end, f"{what}: {self.log.read_text()}"
            time.sleep(0.1)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    started = Dev(tmp_path)
    yield started
    end_session(started.process)


@pytest.mark.timeout(400)
def test_broken_code_is_shown_a_killed_server_comes_again_and_an_interrupt_ends_all(dev: Dev) -> None:
    dev.wait_for("an answer", lambda: dev.code_location().name == "code_location")
    assert "some_code" in dev.code_location().detail
    assert not dev.code_location().good

    dev.module.write_text(MENDED)
    dev.children()[0].kill()
    dev.wait_for("the new code", lambda: dev.code_location().good)
    assert "started again" in dev.log.read_text()

    dev.wait_for("the daemon", dev.daemon_lives)
    url = address_of(dev.settings)
    run = ask(url, LAUNCH)["launchRun"]["run"]["runId"]
    dev.wait_for("a run", lambda: ask(url, STATUS, id=run)["runOrError"]["status"] == "SUCCESS")
    family = dev.children()
    assert len(family) == 3
    os.killpg(dev.process.pid, signal.SIGINT)
    assert dev.process.wait(60) == 0, dev.log.read_text()
    assert [child for child in family if child.is_running()] == []
    assert "Traceback" not in dev.log.read_text().rpartition("started again")[2]


@pytest.mark.timeout(400)
def test_when_the_daemon_dies_all_end_and_say_so(dev: Dev) -> None:
    dev.wait_for("all of them", lambda: len(dev.children()) == 3)
    family = dev.children()
    family[2].kill()
    assert dev.process.wait(60) == 1
    assert "ended by itself" in dev.log.read_text()
    assert [child for child in family if child.is_running()] == []


def test_what_is_imported_before_the_forks_leaves_no_thread_and_no_polars() -> None:
    """A thread is missing in a fork, and polars starts some at its first use."""
    code = (
        "import importlib, sys, threading; from btc_assets.webserver.dev import SHARED; "
        "[importlib.import_module(name) for name in SHARED]; "
        "print(threading.active_count(), 'polars' in sys.modules, 'tensorflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "False", "False"]
