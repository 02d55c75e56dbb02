from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, altered_after, bars_of, candles, features_of

from btc_assets.contracts import HORIZONS, MEDIAN
from btc_assets.errors import ModelError
from btc_assets.market.us_holidays import us_holidays
from btc_assets.modeling.anchor import (
    ANCHOR_REACH,
    CASCADE,
    TRAINED_HORIZONS,
    Anchors,
    _level_weekdays,
    anchor,
    cascade_weights,
    filtered_share,
)
from btc_assets.modeling.baselines import mixture_walk
from btc_assets.modeling.features import engineer
from btc_assets.modeling.history import history
from btc_assets.series import BARS, CANDLES

DAY = dt.timedelta(days=1)
KLINES = candles(2000)
FEATURES = features_of(KLINES)
H = history(KLINES, features=FEATURES)
ORIGIN = FIRST + 1900 * DAY


def test_quantiles_are_ordered_and_have_no_drift() -> None:
    quantiles = anchor(H, ORIGIN)
    assert quantiles.shape == (HORIZONS, 21)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert not quantiles[:, MEDIAN].any()


def test_the_same_bytes_from_the_candles_it_may_read_and_from_all() -> None:
    for t in (550, 1000, 1640, 1900):
        day = FIRST + t * DAY
        reach = history(KLINES, start=day - ANCHOR_REACH * DAY, end=day + DAY, features=FEATURES)
        assert anchor(reach, day).tobytes() == anchor(H, day).tobytes()


def test_M8_altering_every_later_candle_leaves_the_anchor_unchanged() -> None:
    later = altered_after(KLINES, ORIGIN)
    altered = history(later, features=features_of(later))
    assert anchor(altered, ORIGIN).tobytes() == anchor(H, ORIGIN).tobytes()


def test_a_holiday_ahead_counts_as_a_sunday() -> None:
    quiet = pl.col("date").dt.weekday() == 7
    middle = (pl.col("high") * pl.col("low")).sqrt()
    near = [
        pl.when(quiet).then(middle + 0.1 * (pl.col(c) - middle)).otherwise(c).alias(c)
        for c in ("high", "low")
    ]
    calm = KLINES.with_columns(near)
    none = pl.lit(None, dtype=pl.Float64).alias("log_realised_variance")
    h = history(calm, features=FEATURES.with_columns(none))
    eve = next(day - DAY for day in sorted(us_holidays(2022)) if day.weekday() == 3)
    week_before = eve - 7 * DAY
    scale = {day: h.day_kind[h.index(day) + 1] for day in (eve, week_before)}
    assert scale == {eve: 6, week_before: 3}
    working = replace(h)
    working.__dict__["day_kind"] = np.concatenate(
        [h.weekday, (h.weekday[-1] + np.arange(1, HORIZONS + 1)) % 7]
    )
    holiday, ordinary = (anchor(each, eve)[:, -1] for each in (h, working))
    assert holiday[0] < 0.5 * ordinary[0]
    assert holiday[60] == pytest.approx(ordinary[60], rel=0.03)


def test_it_is_wider_than_the_mixture_walk_after_a_rough_week_and_narrower_after_a_calm_one() -> None:
    def widened(factor: float) -> float:
        rows = KLINES.filter(KLINES["date"] <= ORIGIN).to_dicts()
        for row in rows[-7:]:
            middle = (row["high"] * row["low"]) ** 0.5
            row["high"], row["low"] = middle * factor, middle / factor
        rough = KLINES.clear().vstack(type(KLINES)(rows, schema=KLINES.schema))
        h = history(rough, features=features_of(rough))
        return float(anchor(h, ORIGIN)[0, 20] / mixture_walk(h, [h.index(ORIGIN)])[0, 0, 20])

    assert widened(1.25) > 1.2
    assert widened(1.002) < 0.8


def test_bars_that_moved_more_widen_it_though_the_day_s_range_is_the_same() -> None:
    rough = pl.col("date") > ORIGIN - 7 * DAY
    bars = bars_of(KLINES)
    wider = bars.with_columns(pl.when(rough).then(pl.col("high") * 1.05).otherwise("high").alias("high"))
    h = history(KLINES, features=engineer({CANDLES.name: KLINES, BARS.name: wider}))
    assert (anchor(h, ORIGIN)[0, 20:] > 1.05 * anchor(H, ORIGIN)[0, 20:]).all()
    before = ORIGIN - 7 * DAY
    assert anchor(h, before).tobytes() == anchor(H, before).tobytes()


def test_a_day_without_bars_goes_by_its_own_range_at_the_same_level() -> None:
    """The bars of made-up days span a fixed part of the day, so the level is as constant as the gap."""
    level = float(np.nanmedian(H.log_realised - H.log_variance))
    bars = bars_of(KLINES)
    some = engineer({CANDLES.name: KLINES, BARS.name: bars.filter(pl.col("date") != ORIGIN)})
    none = engineer({CANDLES.name: KLINES, BARS.name: bars.clear()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("btc_assets.modeling.anchor.RANGE_TO_REALISED", level)
        for features in (some, none):
            there = anchor(history(KLINES, features=features), ORIGIN)
            assert there == pytest.approx(anchor(H, ORIGIN), rel=1e-9)
    calm = history(KLINES, features=some)
    assert anchor(calm, ORIGIN)[0, 20] != pytest.approx(anchor(H, ORIGIN)[0, 20], rel=1e-3)


def test_a_history_that_nobody_gave_features_is_refused() -> None:
    with pytest.raises(ModelError, match="needs a history built with features"):
        anchor(history(KLINES), ORIGIN)


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
    assert Anchors(H).at(ORIGIN) == pytest.approx(rows, abs=1e-14)
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
