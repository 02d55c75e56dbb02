"""Landing candles with their 4-hour bars: the day asked for, those missed before it, what was restated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from btc_assets.errors import SourceUnavailable
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS
from btc_assets.market.fetch import fetch
from btc_assets.market.kline import Kline
from btc_assets.market.landing import Landing
from btc_assets.market.source import KlineSource

RECHECKED_DAYS = 7
"""Earlier days that come with the same request and show what the exchange restated since."""

SPARE_SECONDS = 3.0
"""No write is begun with less time than this left."""


class OutOfTime(SourceUnavailable):
    """The function's time is nearly up; what was landed stays, the next attempt goes on from there."""


@dataclass(frozen=True, slots=True)
class Landings:
    """What one invocation found and did."""

    day: dt.date
    fresh: tuple[dt.date, ...]
    """Days landed for the first time, in order."""
    restated: tuple[dt.date, ...]
    """Days landed before, now with other figures."""
    unchanged: int


def land(
    source: KlineSource, zone: Landing, symbol: str, day: dt.date, seconds_left: Callable[[], float]
) -> Landings:
    """Land every closed candle from the last landed day on, up to ``day``; oldest first, each once.

    Oldest first makes the newest landed day a watermark: whenever this stops, the next call knows
    where to go on. An empty zone begins with ``day``; history is the archive's business.

    Raises:
        NoDataYet: the exchange has no closed candle of ``day`` yet; a retry will find it.
        OutOfTime: see there.
        SourceError: whatever the exchange or the zone raises.
    """
    last = zone.last_day(symbol)
    first = day if last is None else min(last + DAY, day)
    start = first if last is None else max(FIRST_DAY, first - RECHECKED_DAYS * DAY)
    klines = fetch(source, symbol, start, day + DAY)
    bars: dict[dt.date, list[Kline]] = {kline.date: [] for kline in klines}
    for bar in source.klines(symbol, start, day + DAY, FOUR_HOURS):
        bars.setdefault(bar.date, []).append(bar)
    known = {landed.date: landed.sha256 for landed in zone.newest(symbol, start, day + DAY)}
    zone_begins = min(known, default=first)
    fresh: list[dt.date] = []
    restated: list[dt.date] = []
    for kline in klines:
        if kline.date < min(zone_begins, first) or known.get(kline.date) == zone.digest(
            kline, bars[kline.date]
        ):
            continue
        if seconds_left() < SPARE_SECONDS:
            raise OutOfTime(
                f"time is nearly up before {kline.date}; {len(fresh)} days up to {day} were landed"
            )
        _, wrote = zone.put(kline, bars[kline.date])
        if wrote:
            (restated if kline.date in known else fresh).append(kline.date)
    unchanged = len(klines) - len(fresh) - len(restated)
    return Landings(day, tuple(fresh), tuple(restated), unchanged)
