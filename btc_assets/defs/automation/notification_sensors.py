"""The sensors that notify a person: of runs that failed, and of days that are late.

Plain sensors rather than Dagster's ``run_failure_sensor``: that one moves on after an error in it, while a
message that could not be delivered must be tried again with the next tick. Who was notified is in the
sensors' cursors, which Dagster stores.
"""

import datetime as dt
import json
import logging
from typing import Any

import dagster as dg

from btc_assets.defs.automation.failed_runs import FailureTracker
from btc_assets.defs.resources import Platform
from btc_assets.notifications.lateness import late
from btc_assets.notifications.notifier import Memory, Notifier

log = logging.getLogger(__name__)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells (BTC_NOTIFY) of runs that failed for good, once a cause, and when they are made good.",
)
def failed_runs(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Tell of every cause for which a run failed and no later run made up for it."""
    now, kept = platform.now(), _read_cursor(context)
    tracker, memory = FailureTracker.from_json(kept.get("runs"), now), Memory.from_json(kept.get("told"))
    tracker.update(context.instance)
    problems = [failure.problem() for failure in tracker.failures.values()]
    said = Notifier.of(platform.settings).notify(problems, memory, now)
    return _result(said, {"runs": tracker.as_json(), "told": memory.as_json()}, "no new failure")


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells (BTC_NOTIFY) when the day's candle or forecast is late (BTC_STALE_AFTER_HOURS).",
)
def late_data(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Tell if the day that closed is not there by the time it is due."""
    now, settings = platform.now(), platform.settings
    memory = Memory.from_json(_read_cursor(context).get("told"))
    grace = dt.timedelta(hours=settings.stale_after_hours)
    problems = late(platform.tables, settings.symbol, now, grace)
    said = Notifier.of(settings).notify(problems, memory, now)
    return _result(
        said, {"told": memory.as_json()}, "nothing is late" if not problems else "notified already"
    )


def _read_cursor(context: dg.SensorEvaluationContext) -> dict[str, Any]:
    """Return what the cursor holds; a cursor that is none is an empty memory."""
    try:
        kept = json.loads(context.cursor or "{}")
    except ValueError:
        kept = None
    if isinstance(kept, dict):
        return kept
    log.warning("a sensor's cursor could not be read; who was notified is forgotten")
    return {}


def _result(said: list[str], kept: dict[str, Any], otherwise: str) -> dg.SensorResult:
    return dg.SensorResult(
        skip_reason=dg.SkipReason("; ".join(said) or otherwise), cursor=json.dumps(kept, sort_keys=True)
    )
