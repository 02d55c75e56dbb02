"""Tell Dagster's records which days the tables hold, where they do not know it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from btc_assets.defs.runs import materialised_days
from btc_assets.health.missing_days import TableDays

BATCH = 500
"""Events that are written at once: 7 columns each stay below SQLite's 32,766 variables."""


def record_stored_days(instance: dg.DagsterInstance, tables: Mapping[str, TableDays]) -> int:
    """Report each day of a table that Dagster does not list as materialised; return how many there were.

    After Dagster's index was lost, or tables were copied without it, its UI shows again what is there.
    """
    count = 0
    for asset, each in tables.items():
        unknown = sorted(each.present - materialised_days(instance, asset))
        events = [_materialisation(asset, day.isoformat()) for day in unknown]
        for start in range(0, len(events), BATCH):
            instance.event_log_storage.store_event_batch(events[start : start + BATCH])
        count += len(events)
    return count


def _materialisation(asset: str, day: str) -> dg.EventLogEntry:
    described = "Found in the table; the record of the run that wrote it is lost."
    found = dg.AssetMaterialization(asset_key=asset, partition=day, description=described)
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=RUNLESS_JOB_NAME,
        event_specific_data=StepMaterializationData(found),
    )
    entry: Callable[..., dg.EventLogEntry] = dg.EventLogEntry
    return entry(
        error_info=None,
        level=logging.INFO,
        user_message="",
        run_id=RUNLESS_RUN_ID,
        timestamp=time.time(),
        job_name=RUNLESS_JOB_NAME,
        dagster_event=event,
    )
