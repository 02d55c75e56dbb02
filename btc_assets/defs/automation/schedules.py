"""The daily schedule: five past midnight UTC, for the day that has just closed."""

import dagster as dg

from btc_assets.defs.automation.jobs import daily_partition
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import days_under_way, run_tags
from btc_assets.health.table_days import table_days
from btc_assets.market.calendar import DAY, last_closed_day
from btc_assets.vocabulary import ISSUING_ASSET, LAUNCHED_BY_TAG


@dg.schedule(
    job=daily_partition,
    cron_schedule="5 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Launches the day that closed at midnight, unless somebody else did already.",
)
def daily_at_0005_utc(
    context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.RunRequest | dg.SkipReason:
    """Request one run for the day before the tick; a late tick still means its own day."""
    settings = platform.settings
    if settings.source == "landing":
        return dg.SkipReason(
            "the Lambda launches a day when it has landed it; the sensors see to what it missed"
        )
    day = last_closed_day(context.scheduled_execution_time)
    if day in days_under_way(context.instance):
        return dg.SkipReason(f"a run for {day} is queued or under way")
    if day in table_days(platform.tables, settings.symbol, day)[ISSUING_ASSET].present:
        return dg.SkipReason(f"{day} has its forecasts already")
    tags = run_tags(Window(day, day + DAY)) | {LAUNCHED_BY_TAG: "schedule"}
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat(), tags=tags)
