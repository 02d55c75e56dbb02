"""The sensor that catches up: it asks for what the tables lack, a run a contiguous range.

It begins at what was being kept up, so that one old day, run by hand, asks for nothing else.
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.defs.automation.jobs import daily_partition
from btc_assets.defs.automation.landing_sensor import newest_available_day
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import attempts, days_under_way, missing_days, run_tags, windows
from btc_assets.health.arena import days_not_asked
from btc_assets.health.table_days import table_days
from btc_assets.market.calendar import closes_at, last_closed_day
from btc_assets.vocabulary import ARENA_ASSET, BASELINE_ASSET, DAILY_ASSETS, LAUNCHED_BY_TAG, MARKET_ASSETS

GRACE = dt.timedelta(minutes=20)
"""How long after midnight the schedule (or the Lambda) has the new day to itself."""
FIRST_WAIT = dt.timedelta(minutes=15)
LONGEST_WAIT = dt.timedelta(hours=6)


@dg.sensor(
    job=daily_partition,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds days that were missed (host down, source down) and launches them, one run a range.",
)
def catch_up(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Request every day that a table lacks and nobody is working on; wait longer after each attempt."""
    # Imported here: Dagster has loaded SQLAlchemy by now, and the code location must not.
    from btc_assets.event_log import BatchingEventLog

    if isinstance(context.instance.event_log_storage, BatchingEventLog):
        context.instance.event_log_storage.forget_old_logs()
    now = platform.now()
    until = newest_available_day(last_closed_day(now - GRACE))
    if until is None:
        return dg.SkipReason("no candle has been landed yet")
    tables = table_days(platform.tables, platform.settings.symbol, until)
    missing = missing_days(context.instance, tables)
    missing[ARENA_ASSET] = days_not_asked(platform.tables, platform.settings, until)
    wanted = set().union(*missing.values()) - days_under_way(context.instance)
    if not wanted:
        kept = min((each.begins for each in tables.values() if each.begins), default=None)
        return dg.SkipReason(f"nothing is missing from {kept or 'nowhere'} to {until}")
    requests, waits = [], []
    for window in windows(wanted):
        earlier = attempts(context.instance, daily_partition.name, window)
        retry_at = next_attempt(earlier)
        if now < retry_at:
            waits.append(f"{window} was run {len(earlier)} times, next attempt at {retry_at:%H:%M} UTC")
            continue
        requests.append(request(window, missing, earlier))
    if not requests:
        return dg.SkipReason("; ".join(waits))
    return dg.SensorResult(run_requests=requests)


def next_attempt(records: Sequence[dg.RunRecord]) -> dt.datetime:
    """Return when a window still missing is run again: in 15 minutes, then ever later, at most 6 hours on."""
    if not records:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    wait = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(len(records) - 1, 10)))
    newest: float = max(r.update_timestamp.timestamp() for r in records)
    return dt.datetime.fromtimestamp(newest, dt.UTC) + wait


def request(
    window: Window, missing: dict[str, set[dt.date]], earlier: Sequence[dg.RunRecord] = ()
) -> dg.RunRequest:
    """Build the request of a run over ``window`` for the assets that lack a day of it, a key an attempt."""
    days = set(window.days)
    lacking = {asset for asset, without in missing.items() if without & days}
    if lacking & set(MARKET_ASSETS):
        lacking.add(MARKET_ASSETS[-1])  # features are derived again from whatever is loaded
    if BASELINE_ASSET in lacking:
        lacking.add(ARENA_ASSET)  # whoever competes has not been asked from these days, either
    if ARENA_ASSET in lacking:
        lacking.add(FORECAST_SCORES.name)  # of what is forecast late, targets may have closed
    assets = [asset for asset in (*DAILY_ASSETS, ARENA_ASSET) if asset in lacking]
    return dg.RunRequest(
        run_key=f"{window.start}..{window.last}#{earlier[0].dagster_run.run_id if earlier else 'first'}",
        asset_selection=[dg.AssetKey([a]) for a in assets],
        tags=run_tags(window)
        | {LAUNCHED_BY_TAG: "catch_up", "btc/closed_at": closes_at(window.last).isoformat()},
    )
