"""The simulated market: repeatable, labelled, and like Bitcoin in what matters to the networks."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import os
import statistics
import subprocess
import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from btc_assets.market.anomalies import flags, hold_jumps
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, days
from btc_assets.market.kline import Kline, check
from btc_assets.market.sources.simulated import Simulated

TODAY = dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC)
MARKET = Simulated(lambda: TODAY)
HISTORY = MARKET.klines("BTCUSDT", FIRST_DAY, TODAY.date())

ask_in_another_process = """
import datetime as dt, hashlib
from btc_assets.market.sources.simulated import Simulated
market = Simulated(lambda: dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC))
for day in (dt.date(2026, 11, 22), dt.date(2020, 2, 29)):
    print(hashlib.sha256(repr(market.klines("BTCUSDT", day, day + dt.timedelta(1))).encode()).hexdigest())
"""


@given(st.dates(FIRST_DAY, TODAY.date() + 30 * DAY), st.integers(0, 400))
def test_a_date_s_candle_does_not_depend_on_the_range(start: dt.date, count: int) -> None:
    end = start + count * DAY
    expected = [kline for kline in HISTORY if start <= kline.date < end]
    assert Simulated(lambda: TODAY).klines("BTCUSDT", start, end) == expected


def test_C6_another_process_in_another_time_zone_makes_the_same_candles() -> None:
    environ = os.environ | {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", ask_in_another_process]
    printed = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    for line, day in zip(printed.split(), (dt.date(2026, 11, 22), dt.date(2020, 2, 29)), strict=True):
        candle = MARKET.klines("BTCUSDT", day, day + DAY)
        assert hashlib.sha256(repr(candle).encode()).hexdigest() == line


def test_the_candles_are_these() -> None:
    """A change here changes every demo's data folder: existing ones would see all candles restated."""
    assert [(kline.close, kline.trades) for kline in (HISTORY[0], HISTORY[1000], HISTORY[-1])] == [
        (4330.08, 972773),
        (18051.21, 1750391),
        (43573.54, 601607),
    ]


def test_history_runs_from_the_first_day_through_yesterday_without_a_gap() -> None:
    assert [kline.date for kline in HISTORY] == list(days(FIRST_DAY, TODAY.date()))
    assert MARKET.klines("BTCUSDT", FIRST_DAY - 10 * DAY, FIRST_DAY) == []
    assert MARKET.klines("BTCUSDT", TODAY.date(), TODAY.date() + 9 * DAY) == []


def test_every_candle_is_believable_and_labelled() -> None:
    assert all(check(kline).source == "simulated" for kline in HISTORY)
    assert flags(HISTORY, FIRST_DAY, TODAY.date()) == []
    hold_jumps(HISTORY)
    assert all(before.close == after.open for before, after in pairwise(HISTORY))


BARS = MARKET.klines("BTCUSDT", FIRST_DAY, TODAY.date(), FOUR_HOURS)


def test_4_hour_candles_together_are_the_day_s() -> None:
    assert all(check(bar, FOUR_HOURS).source == "simulated" for bar in BARS)
    assert len(BARS) == 6 * len(HISTORY)
    for day, bars in zip(HISTORY, zip(*[iter(BARS)] * 6, strict=True), strict=True):
        assert (bars[0].open, bars[-1].close) == (day.open, day.close)
        assert (max(b.high for b in bars), min(b.low for b in bars)) == (day.high, day.low)
        assert all(before.close == after.open for before, after in pairwise(bars))
        assert math.isclose(sum(b.volume for b in bars), day.volume, rel_tol=1e-6)


@given(st.dates(FIRST_DAY, TODAY.date() + 30 * DAY), st.integers(0, 400))
def test_a_4_hour_candle_does_not_depend_on_the_range(start: dt.date, count: int) -> None:
    end = start + count * DAY
    expected = [bar for bar in BARS if start <= bar.date < end]
    assert Simulated(lambda: TODAY).klines("BTCUSDT", start, end, FOUR_HOURS) == expected


def test_other_symbols_have_other_histories_in_the_same_range() -> None:
    for symbol in ("ETHUSDT", "AAAUSDT", "BBBUSDT"):
        klines = MARKET.klines(symbol, FIRST_DAY, TODAY.date())
        assert klines[100].close != HISTORY[100].close
        assert 500 < min(k.close for k in klines) < max(k.close for k in klines) < 1_000_000


def returns(klines: list[Kline]) -> list[float]:
    return [math.log(after.close / before.close) for before, after in pairwise(klines)]


def autocorrelation(values: list[float], lag: int) -> float:
    return statistics.correlation(values[lag:], values[:-lag])


def test_volatility_clusters_and_moves_have_fat_tails() -> None:
    moves = returns(HISTORY)
    sizes = [abs(move) for move in moves]
    spread = statistics.pstdev(moves)
    kurtosis = statistics.fmean((move / spread) ** 4 for move in moves)
    assert 0.025 < spread < 0.05
    assert kurtosis > 6
    assert autocorrelation(sizes, 1) > 0.1
    assert autocorrelation(sizes, 10) > 0.05
    assert abs(autocorrelation(moves, 1)) < 0.06


def test_volume_follows_volatility() -> None:
    ranges = [math.log(kline.high / kline.low) for kline in HISTORY]
    volumes = [math.log(kline.volume) for kline in HISTORY]
    assert statistics.correlation(ranges, volumes) > 0.4
