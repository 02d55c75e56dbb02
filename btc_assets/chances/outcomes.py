"""The standard questions, and what became of them after each past day."""

from __future__ import annotations

import numpy as np

from btc_assets.modeling.history import Floats, History

KINDS = ("beyond", "touch")
"""Whether the close lies beyond a price; whether the price is reached on any day until then."""

AHEAD = (1, 7, 30, 90)
"""Days ahead that are asked about."""

MOVES = (-0.20, -0.10, -0.05, -0.02, 0.02, 0.05, 0.10, 0.20)
"""Prices that are asked about, as changes from the close of the origin: below it or above it."""

YEAR = 365
"""Days of starts that a past frequency counts."""


def outcomes(h: History) -> Floats:
    """Say for each day what became of the questions asked at its close [KINDS, AHEAD, MOVES, days].

    1 where it happened, 0 where it did not, NaN where the candles that tell are not there.
    """
    found = np.full((len(KINDS), len(AHEAD), len(MOVES), len(h)), np.nan)
    up = np.array(MOVES)[:, None] > 0
    for place, days in enumerate(AHEAD):
        starts = len(h) - days
        if starts <= 0:
            continue
        prices = h.close[:starts] * (1.0 + np.array(MOVES)[:, None])
        highest, lowest = _ahead(h.high, days).max(axis=1), _ahead(h.low, days).min(axis=1)
        close = h.close[days:]
        known = np.isfinite(prices + highest + lowest + close)
        beyond = np.where(up, close > prices, close < prices)
        touch = np.where(up, highest >= prices, lowest <= prices)
        for kind, happened in enumerate((beyond, touch)):
            found[kind, place, :, :starts] = np.where(known, happened, np.nan)
    return found


def past_frequencies(found: Floats) -> Floats:
    """Count for each day how often each question came true after the ``YEAR`` of days matured by then.

    Returns:
        Shares [KINDS, AHEAD, MOVES, days]; NaN where nothing has matured.
    """
    shares = np.full(found.shape, np.nan)
    known = np.isfinite(found)
    begin = ((0, 0), (0, 0), (1, 0))
    for place, days in enumerate(AHEAD):
        until = np.maximum(np.arange(found.shape[-1]) - days + 1, 0)
        since = np.maximum(until - YEAR, 0)
        counts = np.cumsum(np.pad(known[:, place], begin), axis=-1)
        events = np.cumsum(np.pad(np.where(known[:, place], found[:, place], 0.0), begin), axis=-1)
        count = counts[..., until] - counts[..., since]
        true = events[..., until] - events[..., since]
        shares[:, place] = np.where(count > 0, true / np.maximum(count, 1), np.nan)
    return shares


def _ahead(prices: Floats, days: int) -> Floats:
    """Return the next ``days`` values after each position [positions, days]."""
    return np.lib.stride_tricks.sliding_window_view(prices[1:], days)
