"""Failures of runs that no later run resolved: by cause, with the days that are still missing."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import window_of_run
from btc_assets.market.calendar import DAY
from btc_assets.notifications.notifier import MOST, Problem

log = logging.getLogger(__name__)

FIRST_LOOKBACK = dt.timedelta(days=1)
"""How far back the first look goes."""

OVERLAP = dt.timedelta(minutes=10)
"""How far back every later look goes again, for runs whose end was written down late."""

ENDED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
MAX_MESSAGE = 600
"""Characters of an error that a message repeats; the whole of it is in Dagster."""


@dataclass
class Failure:
    """Runs of one job that failed at one step in one way."""

    job: str
    step: str
    kind: str
    """The class of the error."""
    message: str
    run_id: str
    windows: list[Window] = field(default_factory=list)
    """The days that no later run made good; empty for a job without days."""

    @property
    def cause(self) -> str:
        """The same for every attempt and every day that fails in this way."""
        return f"run {self.job} {self.step} {self.kind}"

    def problem(self) -> Problem:
        """Describe it for a notification."""
        days = ", ".join(map(str, self.windows)) or "a run without days"
        text = (
            f"{self.message[:MAX_MESSAGE]}\n\nJob {self.job}, {days}; run {self.run_id}.\n"
            "`catch_up` asks for missing days again, with growing pauses; this is over when they are there. "
            "docs/operations.md says which failures wait for a person."
        )
        return Problem(self.cause, f"{self.job} failed at {self.step} ({self.kind})", text)


@dataclass
class FailureTracker:
    """The unresolved failures, kept in the sensor's cursor between ticks."""

    until: dt.datetime
    """Runs were looked at up to here (UTC)."""
    seen: dict[str, str] = field(default_factory=dict)
    """Runs of the overlap: when each changed last."""
    failures: dict[str, Failure] = field(default_factory=dict)
    """By cause."""

    def update(self, instance: dg.DagsterInstance) -> None:
        """Process the runs that ended since the last update, oldest first."""
        filters = dg.RunsFilter(statuses=ENDED, updated_after=self.until - OVERLAP)
        for record in sorted(instance.get_run_records(filters=filters), key=_changed):
            changed, run = _changed(record), record.dagster_run
            if self.seen.get(run.run_id) == changed.isoformat():
                continue
            self.seen[run.run_id] = changed.isoformat()
            self.until = max(self.until, changed)
            if run.status == dg.DagsterRunStatus.SUCCESS:
                self._resolve(run)
            elif run.tags.get(WILL_RETRY_TAG) != "true":
                self._add_failure(instance, run)
        kept = self.until - OVERLAP
        self.seen = {k: at for k, at in self.seen.items() if dt.datetime.fromisoformat(at) > kept}

    def _add_failure(self, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
        new = _failure(instance, run)
        window = window_of_run(run)
        old = self.failures.get(new.cause)
        earlier = old.windows if old else []
        if window is not None:
            earlier = [part for each in earlier for part in subtract(each, window)]
            new.windows = sorted([*earlier, window], key=lambda w: w.start)
        if old is not None or len(self.failures) < MOST:
            self.failures[new.cause] = new

    def _resolve(self, run: dg.DagsterRun) -> None:
        window = window_of_run(run)
        assets = {key.to_user_string() for key in run.asset_selection or ()}
        for cause, failure in list(self.failures.items()):
            if failure.job != run.job_name and failure.step not in assets:
                continue
            if window is not None:
                failure.windows = [part for each in failure.windows for part in subtract(each, window)]
            if window is None or not failure.windows:
                del self.failures[cause]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        failures = [
            {**vars(f), "windows": [[str(w.start), str(w.end)] for w in f.windows]}
            for f in self.failures.values()
        ]
        return {"until": self.until.isoformat(), "seen": self.seen, "failures": failures}

    @classmethod
    def from_json(cls, kept: object, now: dt.datetime) -> FailureTracker:
        """Return the inverse of ``as_json``; what is no record begins a day before ``now``."""
        try:
            assert isinstance(kept, dict)
            seen = {str(k): dt.datetime.fromisoformat(v).isoformat() for k, v in kept["seen"].items()}
            found = cls(dt.datetime.fromisoformat(kept["until"]), seen)
            for each in kept["failures"]:
                windows = [Window(*map(dt.date.fromisoformat, pair)) for pair in each["windows"]]
                failure = Failure(**{**each, "windows": windows})
                found.failures[failure.cause] = failure
            assert all(dt.datetime.fromisoformat(at).tzinfo for at in (kept["until"], *seen.values()))
        except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
            return cls(now - FIRST_LOOKBACK)
        return found


def subtract(window: Window, done: Window) -> Iterable[Window]:
    """Return the parts of ``window`` that are not in ``done``."""
    parts = (
        Window(window.start, min(window.end, done.start)),
        Window(max(window.start, done.end), window.end),
    )
    return [part for part in parts if part.end - part.start >= DAY]


def _changed(record: dg.RunRecord) -> dt.datetime:
    at: dt.datetime = record.update_timestamp
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _failure(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Failure:
    """Return where and how ``run`` failed, by its first failing step."""
    entries = instance.all_logs(
        run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    )
    step, kind, message = "the run itself", "RunFailure", "the process that ran it is gone"
    for entry in entries:
        event = entry.dagster_event
        if event is None:
            continue
        if not event.is_step_failure:
            message = event.message or message
            continue
        data = event.step_failure_data
        kind, message = _root_cause(data.error)
        if data.user_failure_data and data.user_failure_data.description:
            message = data.user_failure_data.description
        step = event.step_key or step
        break
    return Failure(run.job_name, step, kind, " ".join(message.split()), run.run_id)


def _root_cause(error: Any) -> tuple[str, str]:
    """Return class and message of the innermost error that was raised on purpose."""
    if error is None:
        return "Failure", "no reason was recorded"
    while error.cause is not None and error.cls_name in {
        "DagsterExecutionStepExecutionError",
        "Failure",
        None,
    }:
        error = error.cause
    return error.cls_name or "Failure", error.message
