"""The folder of Dagster's own records on one machine; made without importing Dagster."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from btc_assets.settings import Settings
from btc_assets.supervision.lock import no_locks

EVENT_BATCHES = {"DAGSTER_EVENT_BATCH_SIZE": "500"}
"""How many events Dagster hands over at once; 7 columns each stay below SQLite's 32,766 variables."""

INSTANCE_YAML = """\
# Dagster's settings on one machine; written once, yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: btc_assets.event_log
  class: BatchingEventLog
  config:
    base_dir: history
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    granularity: op
    default_limit: 1
run_monitoring:
  enabled: true
run_retries:
  enabled: true
  max_retries: 2
  # A run whose process died is run again; steps retry by themselves what can pass, and nothing else can.
  retry_on_asset_or_op_failure: false
retention:
  schedule:
    purge_after_days: {skipped: 7, success: 90, failure: 90}
  sensor:
    purge_after_days: {skipped: 2, success: 90, failure: 90}
"""


INITIALISED = "initialised"
"""A file in the home that says its databases exist: two processes that create them at once spoil them."""


def is_initialised(settings: Settings) -> bool:
    """Return whether Dagster's databases of this data folder have been created."""
    return (Path(settings.dagster_home) / INITIALISED).exists()


@contextlib.contextmanager
def creating(home: Path) -> Iterator[None]:
    """Hold the home while its databases are created, the first time; afterwards this costs nothing."""
    if (home / INITIALISED).exists():
        yield
        return
    with (home / "initialise.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise no_locks(home, "DAGSTER_HOME", error) from error
        yield
        (home / INITIALISED).touch()


def prepare_home(settings: Settings) -> Path:
    """Return the instance folder of this data folder (absolute); write sound defaults on first use."""
    home = Path(settings.dagster_home).resolve()
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(INSTANCE_YAML)
    return home
