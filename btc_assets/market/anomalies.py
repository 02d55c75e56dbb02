"""What candles say about each other: duplicates, gaps, days cut short by an outage, impossible jumps.

Nothing here invents or repairs a candle; it refuses, or it says what a person should know.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from btc_assets.errors import BadCandle, HeldCandle
from btc_assets.market.calendar import closes_at, days
from btc_assets.market.kline import Kline

JUMP = 5.0
"""A close this many times the day before's, or a part as small, is held until a person releases it.

The largest move of BTCUSDT on Binance between two closes is 40 % (2020-03-12)."""

THIN = 0.1
"""A day with less than this part of the median trades of the 30 candles before it counts as thin.

2018-02-08, when Binance stood still for all but 28 minutes, had 3 %."""

_LOOKBACK, _ENOUGH = 30, 7
_FULL_BAR = dt.timedelta(milliseconds=1)
_PRICE_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Flag:
    """Something true but unusual about a day, to be shown and kept, never repaired."""

    date: dt.date
    kind: Literal["gap", "cut_short", "thin", "mispriced_volume"]
    detail: str


def distinct(klines: Iterable[Kline]) -> list[Kline]:
    """Return the candles in order of time, equal duplicates once.

    Raises:
        BadCandle: two different candles that begin at one instant.
    """
    by_start: dict[tuple[str, dt.datetime], Kline] = {}
    for kline in klines:
        known = by_start.setdefault((kline.symbol, kline.open_time), kline)
        if known != kline:
            raise BadCandle(f"two different candles for {kline.symbol} {kline.date}: {known} and {kline}")
    return [by_start[key] for key in sorted(by_start)]


def flags(klines: Sequence[Kline], start: dt.date, end: dt.date) -> list[Flag]:
    """Return what is unusual in [start, end) about candles of one symbol, in order of days.

    ``klines`` may begin up to 30 days before ``start``, so that the first days can be compared too.
    """
    present = {kline.date for kline in klines}
    found = [Flag(day, "gap", "no candle for this day") for day in days(start, end) if day not in present]
    for index, kline in enumerate(klines):
        if start <= kline.date < end:
            found += _unusual(kline, klines[max(0, index - _LOOKBACK) : index])
    return sorted(found, key=lambda flag: (flag.date, flag.kind))


def hold_jumps(
    klines: Sequence[Kline], before: Kline | None = None, released: Collection[dt.date] = ()
) -> None:
    """Hold back candles whose price cannot follow from the candle before.

    Args:
        klines: candles of one symbol in order of days.
        before: the newest candle known before the first of them.
        released: days a person has looked at and let pass.

    Raises:
        HeldCandle: a close at least `JUMP` times the one before, or at most 1 / `JUMP` of it.
    """
    previous = before
    for kline in klines:
        if previous is not None and kline.date not in released:
            ratio = kline.close / previous.close
            if not 1 / JUMP < ratio < JUMP:
                raise HeldCandle(
                    f"{kline.symbol} {kline.date} from {kline.source} is held: close {kline.close} is "
                    f"{ratio:.3g} times the {previous.close} of {previous.date}; "
                    "if that is right, release the day and run it again"
                )
        previous = kline


def _unusual(kline: Kline, before: Sequence[Kline]) -> list[Flag]:
    """Return the flags of one candle, given up to 30 candles before it."""
    from statistics import median  # not at the top: the Lambda, which needs none of it, would wait for it

    found = []
    if kline.close_time < closes_at(kline.date) - _FULL_BAR:
        found.append(Flag(kline.date, "cut_short", f"the bar ends at {kline.close_time:%H:%M:%S} UTC"))
    if len(before) >= _ENOUGH:
        usual = median(earlier.trades for earlier in before)
        if kline.trades < THIN * usual:
            found.append(Flag(kline.date, "thin", f"{kline.trades} trades; the median before is {usual:.0f}"))
    low, high = kline.low * kline.volume, kline.high * kline.volume
    if not low * (1 - _PRICE_STEP) <= kline.quote_volume <= high * (1 + _PRICE_STEP):
        found.append(
            Flag(
                kline.date,
                "mispriced_volume",
                f"{kline.quote_volume} USDT for {kline.volume} is no price between low and high",
            )
        )
    return found
