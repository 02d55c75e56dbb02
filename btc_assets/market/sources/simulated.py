"""A made-up market, for demos and tests without a network: Bitcoin-like, repeatable, labelled as such.

Day by day from 2017-08-17: volatility clusters, moves have fat tails, volume follows volatility and
weekends are quiet. Every day consumes the same count of random numbers, so a date's candle never
depends on the range that is asked for. Levels wander around a fixed trend and stay plausible. Shorter
bars are drawn into the day's candle: together they are it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist

from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, Interval, closes_at, last_closed_day, opens_at
from btc_assets.market.kline import Kline, check

_USUAL_VOLATILITY = 0.028
"""Typical standard deviation of a day's log return."""
_PERSISTENCE, _VOL_OF_VOL, _LEVERAGE = 0.96, 0.16, -0.08
"""Log volatility: AR(1) with this memory, this noise, and this response to a fall."""
_WILD_DAYS, _WILD, _CALM = 0.08, 2.4, 0.72
"""Scale mixture of the shocks: about unit variance, kurtosis 10."""
_REVERSION = 0.002
"""Daily pull to the trend: half-life a year, far too weak to trade on."""
_START_PRICE, _GROWTH, _GROWTH_DAYS = 4285.0, 3.1, 1500.0
_USUAL_VOLUME, _TRADE_SIZE = 38_000.0, 0.04

_normal = NormalDist().inv_cdf


class Simulated:
    """The source ``simulated``; see `btc_assets.market.sources.protocol.KlineSource`."""

    name = "simulated"
    has_clock = True
    simulated = True

    def __init__(self, clock: Callable[[], dt.datetime] | None = None) -> None:
        """Return a market that has closed every day up to ``clock``'s yesterday (default: this machine's)."""
        self._clock = clock or (lambda: dt.datetime.now(dt.UTC))

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return the candles of [start, end) that lie between 2017-08-17 and yesterday."""
        start, end = max(start, FIRST_DAY), min(end, last_closed_day(self.now()) + DAY)
        if start >= end:
            return []
        history = _path(symbol).up_to(end)
        days = history[(start - FIRST_DAY).days : (end - FIRST_DAY).days]
        return days if interval == DAILY else [bar for day in days for bar in _bars(day, interval)]

    def first_day(self, symbol: str) -> dt.date:  # noqa: ARG002
        """Return the day on which every simulated market begins."""
        return FIRST_DAY

    def now(self) -> dt.datetime:
        """Return the simulated exchange's clock, which is this machine's."""
        return self._clock()


class _Path:
    """One symbol's history, drawn once per process as far as it was asked for."""

    def __init__(self, symbol: str) -> None:
        self._candles: list[Kline] = []
        self._more = _candles(symbol)
        self._lock = threading.Lock()

    def up_to(self, end: dt.date) -> list[Kline]:
        """Return the candles of [2017-08-17, end) at least."""
        with self._lock:
            while len(self._candles) < (end - FIRST_DAY).days:
                self._candles.append(next(self._more))
            return self._candles


_paths: dict[str, _Path] = {}


def _path(symbol: str) -> _Path:
    return _paths.setdefault(symbol, _Path(symbol))


def _candles(symbol: str) -> Iterator[Kline]:
    """Return all candles of ``symbol`` from the first day on, without end."""
    # Only random.random() is promised to give the same numbers in every Python version.
    uniform = random.Random(int(hashlib.sha256(symbol.encode()).hexdigest(), 16)).random  # noqa: S311

    def normal() -> float:
        return _normal(min(max(uniform(), 1e-12), 1 - 1e-12))

    day, price, log_vol, flow = FIRST_DAY, _START_PRICE, 0.0, 0.0
    while True:
        volatility = _USUAL_VOLATILITY * math.exp(log_vol)
        shock = normal() * (_WILD if uniform() < _WILD_DAYS else _CALM)
        trend = math.log(_START_PRICE) + _GROWTH * (1 - math.exp(-(day - FIRST_DAY).days / _GROWTH_DAYS))
        move = _REVERSION * (trend - math.log(price)) + volatility * shock
        closing = round(price * math.exp(move), 2)
        up, down = abs(normal()) * 0.45 * volatility, abs(normal()) * 0.45 * volatility
        flow = 0.8 * flow + 0.15 * normal()
        weekend = -0.3 if day.weekday() >= 5 else 0.0
        activity = 1.1 * log_vol + 0.25 * min(abs(shock), 4.0) + flow + weekend
        taker_share = min(max(0.5 + 0.02 * max(min(shock, 3.0), -3.0) + 0.01 * normal(), 0.3), 0.7)
        yield _candle(
            symbol,
            day,
            price,
            closing,
            up,
            down,
            volume=_USUAL_VOLUME * math.exp(activity),
            share=taker_share,
        )
        log_vol = _PERSISTENCE * log_vol + _VOL_OF_VOL * normal() + _LEVERAGE * min(max(shock, -3.0), 3.0)
        log_vol = min(max(log_vol, -1.5), 1.5)
        day, price = day + DAY, closing


def _candle(
    symbol: str,
    day: dt.date,
    opening: float,
    closing: float,
    up: float,
    down: float,
    *,
    volume: float,
    share: float,
) -> Kline:
    """Make one candle from its ends, its overshoot (log price), volume (BTC) and takers' share."""
    high = round(max(opening, closing) * math.exp(up), 2)
    low = round(min(opening, closing) * math.exp(-down), 2)
    volume = round(volume, 5)
    mean_price = (opening + closing + high + low) / 4
    taken = round(volume * share, 5)
    return check(
        Kline(
            symbol=symbol,
            date=day,
            open=opening,
            high=high,
            low=low,
            close=closing,
            volume=volume,
            quote_volume=round(volume * mean_price, 2),
            trades=max(1, round(volume / _TRADE_SIZE)),
            taker_buy_base=taken,
            taker_buy_quote=round(taken * mean_price, 2),
            open_time=opens_at(day),
            close_time=closes_at(day) - dt.timedelta(milliseconds=1),
            source="simulated",
        )
    )


def _bars(day: Kline, interval: Interval) -> list[Kline]:
    """Make the bars of ``interval`` that make up ``day``.

    Prices walk from open to close and stay within the day's range; the bar that came nearest to an extreme
    has it. The numbers are drawn from the day's own seed.
    """
    count = interval.bars_a_day
    seed = hashlib.sha256(f"{day.symbol} {day.date} {interval.name}".encode()).hexdigest()
    uniform = random.Random(int(seed, 16)).random  # noqa: S311
    room = math.log(day.high / day.low)

    def normal() -> float:
        return _normal(min(max(uniform(), 1e-12), 1 - 1e-12))

    walk = [0.0]
    for _ in range(count):
        walk.append(walk[-1] + 0.35 * room * normal())
    drift = (math.log(day.close / day.open) - walk[-1]) / count
    path = [day.open * math.exp(w + i * drift) for i, w in enumerate(walk)]
    ends = [day.open, *(round(min(max(p, day.low), day.high), 2) for p in path[1:-1]), day.close]
    highs = [
        min(day.high, round(max(pair) * math.exp(0.1 * room * abs(normal())), 2)) for pair in pairwise(ends)
    ]
    lows = [
        max(day.low, round(min(pair) * math.exp(-0.1 * room * abs(normal())), 2)) for pair in pairwise(ends)
    ]
    highs[highs.index(max(highs))] = day.high
    lows[lows.index(min(lows))] = day.low
    weights = [0.5 + uniform() for _ in range(count)]
    return [
        _part(day, interval, i, ends[i : i + 2], highs[i], lows[i], weights[i] / sum(weights))
        for i in range(count)
    ]


def _part(
    day: Kline, interval: Interval, place: int, ends: list[float], high: float, low: float, share: float
) -> Kline:
    """Return the bar at ``place`` of ``day``, with ``share`` of what was traded."""
    opens = day.open_time + place * interval.step
    bar = replace(
        day,
        open=ends[0],
        high=high,
        low=low,
        close=ends[1],
        volume=round(day.volume * share, 5),
        quote_volume=round(day.quote_volume * share, 2),
        trades=max(1, round(day.trades * share)),
        taker_buy_base=round(day.taker_buy_base * share, 5),
        taker_buy_quote=round(day.taker_buy_quote * share, 2),
        open_time=opens,
        close_time=opens + interval.step - dt.timedelta(milliseconds=1),
    )
    return check(bar, interval)
