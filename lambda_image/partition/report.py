"""Telling a Dagster that runs elsewhere what was done here, through its REST API.

A materialisation or a check that is reported has no run. Its metadata keeps what JSON can carry: numbers,
text, lists; a point of time becomes text, and pictures and column lineage are left out.
See https://docs.dagster.io/apidocs/external-assets-rest.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

import dagster as dg

from btc_assets.defs.runs import window_of_run
from btc_assets.market.calendar import DAY
from btc_assets.vocabulary import ISSUING_ASSET
from lambda_image.config import DagsterAccess
from lambda_image.launch import DagsterError, connect

log = logging.getLogger(__name__)

RECENT = 30 * DAY
"""Days before the day of the event that are reported; a history of years would be ten thousand requests."""

LOOKED_UP = 7
"""Days before the event's that Dagster is asked about: an earlier call may not have reported them."""

PLAIN = (dg.TextMetadataValue, dg.IntMetadataValue, dg.FloatMetadataValue, dg.BoolMetadataValue)
PICTURE = re.compile(r"!\[[^\]]*\]\(data:[^)]*\)")

Report = tuple[str, dict[str, Any]]
"""The path of an endpoint, and what is sent there."""


class Reporter:
    """Reports runs to a Dagster, if there is one; the first trouble is kept in ``problem`` and ends it."""

    def __init__(self, access: DagsterAccess, day: dt.date) -> None:
        self.problem = ""
        self.count = 0
        self._day, self._access = day, access
        self._reported: set[str] = set()

    def unknown(self) -> set[dt.date]:
        """Return the recent days whose forecasts Dagster does not know; none where it cannot be asked.

        A call that was killed before it had reported its day is made good by running the day again.
        """
        recent = [self._day - n * DAY for n in range(LOOKED_UP + 1)]
        if not self._access.url:
            return set()
        try:
            return set(connect(self._access).state().missing(recent))
        except DagsterError as error:
            self._give_up(error)
            return set()

    def report(self, instance: dg.DagsterInstance) -> None:
        """Send what the runs of ``instance`` did that were not reported yet."""
        if not self._access.url or self.problem:
            return
        try:
            dagster = connect(self._access)
            for run in reversed(instance.get_runs()):
                if run.run_id not in self._reported and self._is_recent(run):
                    for path, body in reports(instance, run.run_id, self._day - RECENT):
                        dagster.post(path, body)
                        self.count += 1
                    self._reported.add(run.run_id)
        except DagsterError as error:
            self._give_up(error)

    def _is_recent(self, run: dg.DagsterRun) -> bool:
        window = window_of_run(run)
        return window is not None and window.last >= self._day - RECENT

    def _give_up(self, error: DagsterError) -> None:
        self.problem = str(error)
        log.error("not reported to Dagster: %s", error)


def reports(instance: dg.DagsterInstance, run_id: str, since: dt.date) -> list[Report]:
    """List what is to be sent about a run, of days from ``since`` on.

    The forecasts come last: a Dagster that knows a day's forecasts was told all of that day.
    """
    found = [report for entry in instance.all_logs(run_id) if (report := _report_of(entry, since))]
    return sorted(
        found, key=lambda report: (report[1]["asset_key"] == ISSUING_ASSET, "check_name" not in report[1])
    )


def _report_of(entry: dg.EventLogEntry, since: dt.date) -> Report | None:
    """Return what is to be sent about one event of a run; None: nothing."""
    event = entry.dagster_event
    if event is None:
        return None
    if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
        made = event.step_materialization_data.materialization
        if made.partition is None or dt.date.fromisoformat(made.partition) < since:
            return None
        return "report_asset_materialization/", materialisation(made)
    if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return "report_asset_check/", evaluation(event.asset_check_evaluation_data)
    return None


def materialisation(made: dg.AssetMaterialization) -> dict[str, Any]:
    """Return the body that reports a materialisation."""
    body = {
        "asset_key": made.asset_key.to_user_string(),
        "partition": made.partition,
        "metadata": plain(made.metadata),
    }
    return body | ({"description": made.description} if made.description else {})


def evaluation(found: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """Return the body that reports a check; its description has no field of its own there."""
    body = {
        "asset_key": found.asset_key.to_user_string(),
        "check_name": found.check_name,
        "passed": found.passed,
        "severity": found.severity.value,
        "metadata": plain(found.metadata) | ({"description": found.description} if found.description else {}),
    }
    return body | ({"partition": found.partition} if found.partition else {})


def plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    """Return of ``metadata`` what JSON can carry."""
    values = {name: _plain(value) for name, value in metadata.items()}
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: dg.MetadataValue[Any]) -> Any:
    if isinstance(value, dg.TimestampMetadataValue):
        return dt.datetime.fromtimestamp(value.value, dt.UTC).isoformat()
    if isinstance(value, dg.MarkdownMetadataValue):
        return PICTURE.sub("", value.value or "").strip() or None
    if isinstance(value, dg.JsonMetadataValue):
        return _finite(value.value)
    return _finite(value.value) if isinstance(value, PLAIN) else None


def _finite(value: Any) -> Any:
    """Return ``value`` with numbers that JSON does not know as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
