"""Milliseconds to make the paths of a forecast and to answer questions from them, and their memory."""

from __future__ import annotations

import datetime as dt

import numpy as np

from benchmarks.bench_modeling import Row, timed
from btc_assets.chances.answers import answer_question
from btc_assets.chances.paths import COUNT, forecast_paths
from btc_assets.chances.questions import Close, Fall, Touch
from btc_assets.chances.scores import standard_chances
from btc_assets.market.calendar import DAY, FIRST_DAY, last_closed_day
from btc_assets.market.sources.simulated import Simulated
from btc_assets.modeling.baselines import mixture_walk
from btc_assets.modeling.history import history
from btc_assets.storage.bitemporal import klines_frame


def run() -> list[Row]:
    """Ask a forecast from the last day of the simulated market, as long as the real one."""
    now = dt.datetime.now(dt.UTC)
    day = last_closed_day(now)
    klines = klines_frame(Simulated().klines("BTCUSDT", FIRST_DAY, day + DAY), now)
    h = history(klines)
    close = float(h.close[h.index(day)])
    quantiles = close * np.exp(mixture_walk(h, [h.index(day)])[0])
    made = forecast_paths(klines, day, quantiles)
    megabytes = 3 * made.close.nbytes / 1e6
    paths = timed(f"{COUNT:,} paths of 90 days", lambda: forecast_paths(klines, day, quantiles))
    touch, above, fall = Touch(30, 1.1 * close), Close(30, low=1.1 * close), Fall(30, 0.1, from_peak=True)
    return [
        (*paths[:2], "< 50 ms p95"),
        timed("one question: above", lambda: answer_question(made, above)),
        timed("one question: touch", lambda: answer_question(made, touch)),
        timed("one question: fall from the peak", lambda: answer_question(made, fall)),
        timed("the 64 standard questions", lambda: standard_chances(made, [1, 7, 30, 90])),
        ("memory of the paths of a forecast", f"{megabytes:.1f} MB", ""),
    ]
