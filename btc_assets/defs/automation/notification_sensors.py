"""The sensors that tell a person: of runs that failed, and of what is late or broken.

Plain sensors rather than Dagster's ``run_failure_sensor``: that one moves on after an error in it, while a
message that could not be delivered must be tried again with the next tick. Who was notified is in the
sensors' cursors, which Dagster stores.
"""

import json
import logging
from typing import Any

import dagster as dg

from btc_assets.defs.automation.failed_runs import FailureTracker
from btc_assets.defs.findings import evaluations, look, newest_materializations, stamp
from btc_assets.defs.resources import Platform
from btc_assets.health.problems import problems
from btc_assets.io import progress
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
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks every two minutes for what is late or broken, shows it in the checks and tells of it "
    "(BTC_NOTIFY): days, source, clock, torn logs, disk, model registry, ledger and its sink, page.",
)
def health(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
    """Evaluate the health checks whose state or asset changed, and tell each problem once."""
    now, kept = platform.now(), _read_cursor(context)
    memory = Memory.from_json(kept.get("told"))
    found = look(platform)
    work = progress.read(platform.settings.root)
    starting = work is not None and work.steps > 1  # a start of `btc up`; any other run reports one step
    told = [finding for finding in found if not (starting and finding.name == "days")]
    said = Notifier.of(platform.settings).notify(problems(told, memory), memory, now)
    written = newest_materializations(context.instance)
    stamps = {finding.name: stamp(finding, now, written) for finding in found}
    before = kept.get("evaluated")
    changed = [
        evaluation
        for name, evaluation in evaluations(found)
        if not isinstance(before, dict) or before.get(name) != stamps[name]
    ]
    otherwise = "nothing new" if memory.open else "all is well"
    result = _result(said, {"told": memory.as_json(), "evaluated": stamps}, otherwise)
    return dg.SensorResult(skip_reason=result.skip_reason, cursor=result.cursor, asset_events=changed)


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
