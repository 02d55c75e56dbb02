"""The instance that programs share: created once, whoever comes first, and healed after a kill."""

from __future__ import annotations

import logging.config
import platform
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from btc_assets.defs.instance import is_initialised
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import run_tags
from btc_assets.errors import ConfigurationError
from btc_assets.launch import fail_orphaned_runs, is_dead, open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.settings import Settings, load
from btc_assets.supervision.process_identity import this_process
from btc_assets.vocabulary import HOST_TAG, WORKER_TAG


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return load({}, data_dir=str(tmp_path), source="simulated")


def test_processes_that_create_the_instance_at_once_do_not_spoil_it(settings: Settings) -> None:
    code = (
        "from btc_assets.launch import open_instance; from btc_assets.settings import load\n"
        f"settings = load({{}}, data_dir={settings.data_dir!r}, source='simulated')\n"
        "with open_instance(settings) as instance: instance.get_runs()"
    )
    together = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [p.communicate()[1].decode() for p in together]
    assert [p.returncode for p in together] == [0, 0, 0], errors
    assert is_initialised(settings)


def test_S7_S14_a_run_that_failed_by_itself_is_not_run_again_at_once(settings: Settings) -> None:
    """Only one whose process died is: a geo-block or a bad candle is the same a second later."""
    with open_instance(settings) as instance:
        retries = instance.get_settings("run_retries")
    assert (retries["enabled"], retries["retry_on_asset_or_op_failure"]) == (True, False)


def started(instance: dg.DagsterInstance, worker: str, **tags: str) -> dg.DagsterRun:
    from btc_assets.definitions import defs

    tags = run_tags(Window(FIRST_DAY, FIRST_DAY + DAY)) | {WORKER_TAG: worker} | tags
    job = defs.resolve_job_def("market_history")
    return instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)


def test_a_run_whose_process_was_killed_is_marked_failed(settings: Settings) -> None:
    with open_instance(settings) as instance:
        mine, dead = this_process(), this_process().rpartition(":")[0] + ":1"
        alive, killed = started(instance, mine), started(instance, dead)
        assert fail_orphaned_runs(instance) == [killed.run_id]
        status = {r.run_id: r.status for r in instance.get_runs()}
    assert status == {
        alive.run_id: dg.DagsterRunStatus.STARTED,
        killed.run_id: dg.DagsterRunStatus.FAILURE,
    }


CELERY = {"module": "dagster_celery.launcher", "class": "CeleryRunLauncher", "config": {}}


@pytest.mark.parametrize(("launcher", "judged"), [({}, True), ({"run_launcher": CELERY}, False)])
def test_where_machines_share_an_instance_a_run_of_another_is_not_judged(
    launcher: dict[str, object], judged: bool
) -> None:
    """Its process has no number here; on one machine with a new name, such a run is of an earlier start."""
    gone = this_process().rpartition(":")[0] + ":1"
    with dg.instance_for_test(overrides=launcher) as instance:
        theirs = started(instance, gone, **{HOST_TAG: "another-machine"})
        ours = started(instance, gone, **{HOST_TAG: platform.node()})
        assert is_dead(instance, theirs) is judged
        assert set(fail_orphaned_runs(instance)) == {ours.run_id, *([theirs.run_id] if judged else [])}


def test_a_run_that_sets_up_logging_closes_no_stream_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Dagster configures logging with each run, which closes all handlers; TensorFlow's closes its stream."""
    from absl import logging as absl_logging

    stream = absl_logging.get_absl_handler().python_handler.stream
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    assert stream is sys.__stderr__, "not that of pytest, which would be closed now"
    assert not stream.closed


@pytest.mark.parametrize("name", ["a*b", "a]b", "a#b", "a%20b", "données", "a b"])
def test_dagster_reads_its_settings_in_a_folder_of_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(load({}, data_dir=str(tmp_path / name))) as instance:
        assert not instance.telemetry_enabled, "dagster.yaml was passed over"


@pytest.mark.parametrize("name", ["a[b]", "q?x"])
def test_a_folder_that_dagster_takes_for_more_than_a_name_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with (
        pytest.raises(ConfigurationError, match=r"is no plain letter to it; set DAGSTER_HOME"),
        open_instance(load({}, data_dir=str(tmp_path / name))),
    ):
        pass
