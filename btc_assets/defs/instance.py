"""The folder of Dagster's own records on one machine; made without importing Dagster."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from btc_assets.errors import ConfigurationError, StorageError
from btc_assets.health import dagster_records
from btc_assets.io import disk
from btc_assets.io.files import write_atomically
from btc_assets.io.sqlite import BESIDE
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


NOT_IN_A_HOME = frozenset("[?")
"""Dagster takes the path of its settings for a pattern, and that of its databases for an address."""

FOLLOWED = "followed.json"
"""A file in the data folder that says it is somebody else's store, which `btc follow` shows."""

DAMAGED = "damaged"
"""The folder in the home to which databases go that cannot be read."""

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


def require_own_store(settings: Settings) -> None:
    """Refuse a data folder in which nothing may be run.

    Raises:
        ConfigurationError: it can only be read, or is somebody else's store that `btc follow` shows.
    """
    if settings.read_only:
        raise ConfigurationError(
            f"{settings.root} can only be read ({settings.read_only}): nothing is run in it; set "
            "BTC_DATA_DIR to another folder"
        )
    if (Path(settings.root) / FOLLOWED).exists():
        raise ConfigurationError(
            f"{settings.root} shows somebody else's store, which `btc follow` will replace: nothing is run "
            "in it; set BTC_DATA_DIR to another folder"
        )


def prepare_home(settings: Settings) -> Path:
    """Return the instance folder of this data folder (absolute); write sound defaults on first use.

    Raises:
        ConfigurationError: as ``require_own_store``, or the path holds what Dagster takes for no letter.
        StorageError: it cannot be written.
    """
    home = Path(settings.dagster_home).resolve()
    require_own_store(settings)
    if strange := set(str(home)) & NOT_IN_A_HOME:
        raise ConfigurationError(
            f"Dagster cannot keep its records in {home}: a {min(strange)!r} in a path is no plain letter to "
            "it; set DAGSTER_HOME to another folder, or BTC_DATA_DIR"
        )
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            write_atomically(config, INSTANCE_YAML.encode())
    except OSError as error:
        raise StorageError(disk.explain(error) or f"{home} cannot be written: {error}") from error
    _require_readable(config)
    return home


def _require_readable(config: Path) -> None:
    """Check that Dagster can read its settings, in which a person may have made a slip."""
    import yaml

    try:
        found = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
    else:
        if found is None or isinstance(found, dict):
            return
        what = "it holds no settings"
    raise ConfigurationError(
        f"{config} cannot be read ({what:.300}); correct it, or remove it: sound defaults are written again"
    )


def put_damaged_aside(home: Path) -> list[str]:
    """Move Dagster's databases that cannot be read out of the way; return a sentence for each.

    What the tables know is recorded again by the next `btc_assets.defs.recorded_days.record_stored_days`.
    No process may use them meanwhile.

    Raises:
        StorageError: one can neither be read nor moved: locked, or the disk is full or read-only.
    """
    said = []
    for path, what in dagster_records.damaged(home).items():
        shelf, now = home / DAMAGED, time.time_ns()
        shelf.mkdir(exist_ok=True)
        for file in (Path(f"{path}{ending}") for ending in BESIDE):
            if file.exists():
                file.rename(shelf / f"{file.name}.{now}")
        lost = dagster_records.LOST.get(path.name, "a log of one run")
        said.append(f"{path} is damaged ({what}): it was put aside in {shelf}; {lost}")
        (home / INITIALISED).unlink(missing_ok=True)
    return said
