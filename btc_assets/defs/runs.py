"""Runs and the days that they cover: finished partitions, runs queued or under way, failures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from btc_assets.defs.partitions import Window
from btc_assets.market.calendar import DAY, days

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def run_tags(window: Window) -> dict[str, str]:
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


def missing_days(
    instance: dg.DagsterInstance, assets: Iterable[str], until: dt.date
) -> dict[str, set[dt.date]]:
    """Return for each asset the days from its first materialised one to ``until`` (included) that it lacks.

    An asset that was never materialised lacks nothing: how far back to begin is a person's choice.
    """
    missing = {}
    for asset in assets:
        present = materialised_days(instance, asset)
        missing[asset] = set(days(min(present), until + DAY)) - present if present else set()
    return missing


def windows(wanted: Iterable[dt.date]) -> list[Window]:
    """Group days into maximal contiguous windows, oldest first."""
    found: list[Window] = []
    for day in sorted(set(wanted)):
        if found and found[-1].end == day:
            found[-1] = Window(found[-1].start, day + DAY)
        else:
            found.append(Window(day, day + DAY))
    return found


def failures(instance: dg.DagsterInstance, job: str, window: Window) -> Sequence[dg.RunRecord]:
    """Return the failed runs of ``job`` over exactly ``window``, newest first."""
    return instance.get_run_records(
        filters=dg.RunsFilter(
            job_name=job,
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
            tags=run_tags(window),
        ),
        limit=50,
    )
