"""The sensor on the landing zone: launches what the Lambda landed but could not launch.

With ``BTC_SOURCE=landing`` a day begins when its candle is landed. The Lambda launches the run
itself; if Dagster was down then, or a person landed a candle by hand, this sensor finds it.
"""

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass

import dagster as dg

from btc_assets.defs.automation.jobs import daily_partition
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import days_under_way, run_tags, windows
from btc_assets.health.table_days import table_days
from btc_assets.market.calendar import DAY
from btc_assets.market.sources.landing import LandingZone
from btc_assets.settings import load
from btc_assets.vocabulary import ISSUING_ASSET, LAUNCHED_BY_TAG

LOOKBACK = 30 * DAY
"""How far back a landed candle is noticed; older restatements are for a person to re-run."""

HEAD_START = 120.0
"""Seconds after it is first seen that a landed candle is left to the Lambda, which is about to launch it."""


@dataclass
class LandedDay:
    """What the sensor remembers of a landed day."""

    sha256: str
    since: float
    """When this content was first seen (seconds since 1970)."""
    settled: bool = False
    """Nothing is left to do for this content."""
    restated: bool = False
    """An earlier content of the day was settled before: materialised is not enough."""


@dg.sensor(
    job=daily_partition,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches days that were landed without a run, and days whose candle was restated.",
)
def landed_candles(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.SensorResult | dg.SkipReason:
    """Request a run for every landed day that has none; one run key a day and content."""
    source = platform.source
    if not isinstance(source, LandingZone):
        return dg.SkipReason("candles do not come from a landing zone (BTC_SOURCE)")
    now = platform.now()
    memory = update_memory(source, platform.settings.symbol, now, read_cursor(context.cursor))
    wanted = days_to_launch(context.instance, platform, memory, now)
    requests = [request(window, memory) for window in windows(wanted)]
    for day in wanted:
        memory[day].settled = True
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("every landed day has its run"),
        cursor=json.dumps({f"{day}": asdict(seen) for day, seen in sorted(memory.items())}),
    )


def newest_available_day(until: dt.date) -> dt.date | None:
    """Return ``until``, or the newest landed day before it if days begin with landing; None: none landed.

    Where a run may have a day landed (``BTC_LANDING_FUNCTION``) it need not be there before.
    """
    settings = load()
    if settings.source != "landing" or settings.landing_function:
        return until
    newest = LandingZone(settings.landing, settings.symbol, s3_endpoint=settings.s3_endpoint).last_day(
        settings.symbol
    )
    return None if newest is None else min(newest, until)


def read_cursor(cursor: str | None) -> dict[dt.date, LandedDay]:
    """Read the memory in the sensor's cursor; an unreadable cursor is an empty memory."""
    try:
        kept = json.loads(cursor or "{}")
        return {dt.date.fromisoformat(day): LandedDay(**seen) for day, seen in kept.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def update_memory(
    zone: LandingZone, symbol: str, now: dt.datetime, memory: dict[dt.date, LandedDay]
) -> dict[dt.date, LandedDay]:
    """Update ``memory`` with what is landed; days beyond the lookback are forgotten."""
    today = now.date()
    found = {}
    for landed in zone.newest(symbol, today - LOOKBACK, today + DAY):
        known = memory.get(landed.date)
        if known is None or known.sha256 != landed.sha256:
            restated = known is not None and (known.settled or known.restated)
            known = LandedDay(landed.sha256, now.timestamp(), restated=restated)
        found[landed.date] = known
    return found


def days_to_launch(
    instance: dg.DagsterInstance, platform: Platform, memory: dict[dt.date, LandedDay], now: dt.datetime
) -> list[dt.date]:
    """Return the days to launch; days that turn out to be done are settled on the way."""
    pending = {day: seen for day, seen in memory.items() if not seen.settled}
    if not pending:
        return []
    tables = table_days(platform.tables, platform.settings.symbol, now.date())
    under_way, done = days_under_way(instance), tables[ISSUING_ASSET].present
    wanted = []
    for day, seen in pending.items():
        if day in done and not seen.restated:
            seen.settled = True
        elif day not in under_way and now.timestamp() - seen.since >= HEAD_START:
            wanted.append(day)
    return wanted


def request(window: Window, memory: dict[dt.date, LandedDay]) -> dg.RunRequest:
    """Build the request of a run over ``window``; its key is made of the days and their contents."""
    contents = "".join(memory[day].sha256 for day in window.days)
    return dg.RunRequest(
        run_key=f"{window.start}..{window.last}:{hashlib.sha256(contents.encode()).hexdigest()[:16]}",
        tags=run_tags(window) | {LAUNCHED_BY_TAG: "landed_candles"},
    )
