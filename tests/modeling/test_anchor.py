from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from made_candles import FIRST, altered_after, candles

from btc_assets.contracts import HORIZONS, MEDIAN
from btc_assets.modeling.anchor import (
    ANCHOR_REACH,
    CASCADE,
    TRAINED_HORIZONS,
    Anchors,
    _level_weekdays,
    anchor,
    cascade_weights,
    filtered_share,
    trained_anchor,
)
from btc_assets.modeling.baselines import mixture_walk
from btc_assets.modeling.history import history

DAY = dt.timedelta(days=1)
KLINES = candles(2000)
H = history(KLINES)
ORIGIN = FIRST + 1900 * DAY


def test_quantiles_are_ordered_and_have_no_drift() -> None:
    quantiles = anchor(H, ORIGIN)
    assert quantiles.shape == (HORIZONS, 21)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert not quantiles[:, MEDIAN].any()


def test_the_same_bytes_from_the_candles_it_may_read_and_from_all() -> None:
    for t in (550, 1000, 1640, 1900):
        day = FIRST + t * DAY
        reach = history(KLINES, start=day - ANCHOR_REACH * DAY, end=day + DAY)
        assert anchor(reach, day).tobytes() == anchor(H, day).tobytes()


def test_M8_altering_every_later_candle_leaves_the_anchor_unchanged() -> None:
    altered = history(altered_after(KLINES, ORIGIN))
    assert anchor(altered, ORIGIN).tobytes() == anchor(H, ORIGIN).tobytes()


def test_it_is_wider_than_the_mixture_walk_after_a_rough_week_and_narrower_after_a_calm_one() -> None:
    def widened(factor: float) -> float:
        rows = KLINES.filter(KLINES["date"] <= ORIGIN).to_dicts()
        for row in rows[-7:]:
            middle = (row["high"] * row["low"]) ** 0.5
            row["high"], row["low"] = middle * factor, middle / factor
        h = history(KLINES.clear().vstack(type(KLINES)(rows, schema=KLINES.schema)))
        return float(anchor(h, ORIGIN)[0, 20] / mixture_walk(h, ORIGIN, [1])[0, 20])

    assert widened(1.25) > 1.2
    assert widened(1.002) < 0.8


def test_the_filtered_walk_counts_less_the_longer_the_horizon() -> None:
    share = filtered_share(np.arange(1, HORIZONS + 1))
    assert share[0] == pytest.approx(0.8)
    assert (np.diff(share) <= 0).all()
    assert share[-1] >= 0.1


def test_weights_of_the_cascade_sum_to_one() -> None:
    weights = cascade_weights(np.arange(1, HORIZONS + 1))
    assert weights.shape == (HORIZONS, len(CASCADE))
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert (weights >= 0).all()


def test_trained_horizons_agree_with_the_whole_anchor() -> None:
    rows = anchor(H, ORIGIN)[TRAINED_HORIZONS - 1]
    assert trained_anchor(H, ORIGIN) == pytest.approx(rows, abs=1e-14)
    assert Anchors(H).stack([ORIGIN])[0] == pytest.approx(rows, abs=1e-14)
    assert Anchors(H).stack([]).shape == (0, len(TRAINED_HORIZONS), 21)


def test_a_weekday_that_moves_more_than_its_range_says_is_levelled_and_restored() -> None:
    days, horizons = 1460, np.array([1, 7])
    weekday_of_origin = (np.arange(1 - days, 1)[None, :] - horizons[:, None]) % 7  # 0: today's
    past = np.where(weekday_of_origin == 0, 2.0, 1.0) * np.where(np.arange(days) % 2 == 0, 1.0, -1.0)
    levelled, today = _level_weekdays(past, horizons)
    relative = 2.0 / (8.0 / 7.0)
    assert today == pytest.approx([relative, 1.0 + (relative - 1.0) / 7.0])
    assert np.abs(levelled[0]) == pytest.approx(8.0 / 7.0)
    assert np.ptp(np.abs(levelled[1])) > 0.5
    unknown, one = _level_weekdays(np.full((1, 20), np.nan), np.array([1]))
    assert np.isnan(unknown).all()
    assert one.tolist() == [1.0]
