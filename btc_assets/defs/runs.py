"""Which days are missing from the tables, and which runs are, or were, after them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from btc_assets.defs.partitions import Window
from btc_assets.health.missing_days import TableDays, kept_up_since
from btc_assets.market.calendar import DAY

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


DAYS_TAG = "btc/days"
"""The days of a run in words, which a row of Dagster's UI shows."""


def run_tags(window: Window) -> dict[str, str]:
    """Return the tags by which Dagster runs ``window`` as one run, and by which a person sees its days."""
    return {**partition_tags(window), DAYS_TAG: str(window)}


def partition_tags(window: Window) -> dict[str, str]:
    """Return the tags by which Dagster runs ``window`` as one run."""
    if window.start == window.last:
        return {PARTITION_NAME_TAG: window.start.isoformat()}
    return {
        ASSET_PARTITION_RANGE_START_TAG: window.start.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: window.last.isoformat(),
    }


def window_of_run(run: dg.DagsterRun) -> Window | None:
    """Return the days that ``run`` was launched for; None if it has no daily partitions."""
    start = run.tags.get(ASSET_PARTITION_RANGE_START_TAG) or run.tags.get(PARTITION_NAME_TAG)
    end = run.tags.get(ASSET_PARTITION_RANGE_END_TAG) or start
    if start is None or end is None:
        return None
    return Window(dt.date.fromisoformat(start), dt.date.fromisoformat(end) + DAY)


def days_under_way(instance: dg.DagsterInstance) -> set[dt.date]:
    """Return the days that queued or running runs will materialise."""
    windows = map(window_of_run, instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)))
    return {day for window in windows if window is not None for day in window.days}


def materialised_days(instance: dg.DagsterInstance, asset: str) -> set[dt.date]:
    """Return the days of which ``asset`` has a materialised partition."""
    return {dt.date.fromisoformat(key) for key in instance.get_materialized_partitions(dg.AssetKey([asset]))}


def missing_days(instance: dg.DagsterInstance, tables: Mapping[str, TableDays]) -> dict[str, set[dt.date]]:
    """Return for each asset the days that its table lacks and that may be had.

    Decided from the tables, whatever Dagster believes. Its records only tell which days are known to have no
    row (the exchange had none), and whether a table lost its newest days, all that were written in time: old
    days that a person filled in are no reason to fill everything since.
    """
    missing = {}
    for asset, each in tables.items():
        if each.begins is None or not each.kept_up:
            each = replace(each, begins=_lost_since(instance, each))
        wanted = set(each.missing)
        missing[asset] = wanted - _known_empty(instance, asset, wanted)
    return missing


def _lost_since(instance: dg.DagsterInstance, table: TableDays) -> dt.date | None:
    """Return since when a table was kept up that lost its newest days; None if it never had later ones."""
    known = materialised_days(instance, table.name)
    if max(known, default=dt.date.min) <= (table.newest or dt.date.min):
        return None
    return table.begins or kept_up_since(known, ())


MOST_LOOKED_UP = 200
"""Days of which Dagster is asked what it knows; if more are missing, they were lost and all are wanted."""


def _known_empty(instance: dg.DagsterInstance, asset: str, wanted: set[dt.date]) -> set[dt.date]:
    """Return the days of ``wanted`` whose newest materialisation found no row."""
    if not wanted or len(wanted) > MOST_LOOKED_UP:
        return set()
    keys = [day.isoformat() for day in wanted]
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey([asset]), asset_partitions=keys), limit=4 * len(keys)
    ).records
    newest: dict[str, dg.EventLogRecord] = {}
    for record in records:
        newest.setdefault(str(record.partition_key), record)
    return {dt.date.fromisoformat(key) for key, record in newest.items() if _is_empty(record, key)}


def _is_empty(record: dg.EventLogRecord, day: str) -> bool:
    said = record.asset_materialization.metadata if record.asset_materialization else {}
    rows, without = said.get("dagster/partition_row_count"), said.get("days without a candle")
    return (rows is not None and rows.value == 0) or (without is not None and day in str(without.value))


def windows(wanted: Iterable[dt.date]) -> list[Window]:
    """Group days into maximal contiguous windows, oldest first."""
    found: list[Window] = []
    for day in sorted(set(wanted)):
        if found and found[-1].end == day:
            found[-1] = Window(found[-1].start, day + DAY)
        else:
            found.append(Window(day, day + DAY))
    return found


def attempts(instance: dg.DagsterInstance, job: str, window: Window) -> Sequence[dg.RunRecord]:
    """List the runs of ``job`` over exactly ``window`` that ended, newest first, whatever came of them."""
    return instance.get_run_records(
        filters=dg.RunsFilter(job_name=job, statuses=ENDED, tags=partition_tags(window)), limit=50
    )
