"""Landing candles with their 4-hour bars: the day asked for, those missed before it, what was restated."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from btc_assets.errors import SourceError, SourceUnavailable
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS
from btc_assets.market.fetch import fetch_days
from btc_assets.market.kline import Kline
from btc_assets.market.sources.landing import LandedVersion, LandingZone
from btc_assets.market.sources.protocol import KlineSource

log = logging.getLogger(__name__)

RECHECKED_DAYS = 7
"""Earlier days that come with the same request and show what the exchange restated since."""

SPARE_SECONDS = 3.0
"""No write is begun with less time than this left."""


class OutOfTime(SourceUnavailable):
    """The function's time is nearly up; what was landed stays, the next attempt goes on from there."""


@dataclass(frozen=True, slots=True)
class LandingReport:
    """What one invocation found and did."""

    day: dt.date
    fresh: tuple[dt.date, ...]
    """Days landed for the first time, in order."""
    restated: tuple[dt.date, ...]
    """Days landed before, now with other figures."""
    unchanged: int
    without_bars: tuple[dt.date, ...]
    """Days of which no 4-hour candle could be had."""


def land_days(
    source: KlineSource,
    zone: LandingZone,
    symbol: str,
    day: dt.date,
    seconds_left: Callable[[], float],
    *,
    last_call: bool = False,
) -> LandingReport:
    """Land every closed candle from the last landed day on, up to ``day``; oldest first, each once.

    Oldest first makes the newest landed day a watermark: whenever this stops, the next call knows
    where to go on. An empty zone begins with ``day``; history is the archive's business. 4-hour candles
    that cannot be had or believed fail the call, for another follows; only a ``last_call`` lands without.

    Raises:
        NoDataYet: the exchange has no closed candle of ``day`` yet; a retry will find it.
        OutOfTime: see there.
        SourceError: whatever the exchange or the zone raises.
    """
    last = zone.last_day(symbol)
    first = day if last is None else min(last + DAY, day)
    start = first if last is None else max(FIRST_DAY, first - RECHECKED_DAYS * DAY)
    klines = fetch_days(source, symbol, start, day + DAY)
    bars = bars_by_day(source, symbol, start, day, last_call)
    known = {landed.date: landed for landed in zone.newest(symbol, start, day + DAY)}
    zone_begins = min(known, default=first)
    fresh: list[dt.date] = []
    restated: list[dt.date] = []
    for kline in klines:
        date, parts = kline.date, bars.get(kline.date, [])
        if date < min(zone_begins, first) or (date in known and not is_news(zone, known[date], kline, parts)):
            continue
        if seconds_left() < SPARE_SECONDS:
            raise OutOfTime(f"time is nearly up before {date}; {len(fresh)} days up to {day} were landed")
        _, wrote = zone.put(kline, parts)
        if wrote:
            (restated if date in known else fresh).append(date)
    unchanged = len(klines) - len(fresh) - len(restated)
    without = tuple(kline.date for kline in klines if not bars.get(kline.date))
    return LandingReport(day, tuple(fresh), tuple(restated), unchanged, without)


def bars_by_day(
    source: KlineSource, symbol: str, start: dt.date, day: dt.date, last_call: bool
) -> dict[dt.date, list[Kline]]:
    """Return the 4-hour candles from ``start`` up to ``day``, by day.

    They sharpen a forecast that the daily candle alone allows: on a ``last_call`` there are none if they can
    not be had or believed. The next day's invocation asks for them again.
    """
    found: dict[dt.date, list[Kline]] = {}
    try:
        for bar in source.klines(symbol, start, day + DAY, FOUR_HOURS):
            found.setdefault(bar.date, []).append(bar)
    except SourceError as error:
        if not last_call:
            raise
        log.warning("landing without 4-hour candles: %s", error)
    return found


def is_news(zone: LandingZone, landed: LandedVersion, kline: Kline, bars: list[Kline]) -> bool:
    """Return whether ``kline`` and ``bars`` say more than what is landed, or something else."""
    if landed.sha256 == zone.digest(kline, bars):
        return False
    if len(bars) == FOUR_HOURS.bars_a_day:
        return True
    there = zone.read(landed, FOUR_HOURS)
    return len(bars) >= len(there) or zone.digest(zone.read(landed)[0]) != zone.digest(kline)
