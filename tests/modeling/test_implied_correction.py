"""What implied volatility adds to the anchor: bounded, zero where unknown, and nothing from the future."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, altered_after, bars_of, candles

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY
from btc_assets.modeling.anchor import (
    ANCHOR_REACH,
    TRAINED_HORIZONS,
    Anchors,
    _month,
    anchor,
)
from btc_assets.modeling.features import engineer
from btc_assets.modeling.history import Floats, History, history
from btc_assets.modeling.implied_correction import (
    CHANGES,
    FADE,
    FEWEST,
    FIT_DAYS,
    LARGEST,
    MONTH,
    MOST,
    RIDGE,
    Correction,
    fit_correction,
)
from btc_assets.modeling.samples import data_digest
from btc_assets.series import BARS, CANDLES, IMPLIED
from btc_assets.statistics.metrics import pinball

DAY = dt.timedelta(days=1)
KLINES = candles(2300)
BEGAN = FIRST + 1200 * DAY
ORIGIN = FIRST + 2000 * DAY


def options_of(klines: pl.DataFrame, began: dt.date = BEGAN) -> pl.DataFrame:
    """Options that know a good part of what the next day brings: rows of RAW_IMPLIED_VOLATILITY."""
    reach = (klines["high"] / klines["low"]).log().to_numpy()
    ahead = np.append(reach[1:], reach[-1])
    month = np.convolve(reach, np.ones(30) / 30)[: len(reach)]
    rows = klines.select("symbol", "date", "source", "ingested_at").with_columns(
        volatility=pl.Series(100 * np.sqrt(365) * month**0.7 * ahead**0.3)
    )
    return rows.select(RAW_IMPLIED_VOLATILITY.schema.names()).filter(pl.col("date") >= began)


OPTIONS = options_of(KLINES)


def history_of(options: pl.DataFrame = OPTIONS, klines: pl.DataFrame = KLINES, **span: dt.date) -> History:
    series = {CANDLES.name: klines, BARS.name: bars_of(klines), IMPLIED.name: options}
    return history(klines, features=engineer(series), **span)


H = history_of()
BARE = history_of(OPTIONS.clear())


def without(*days: dt.date) -> pl.DataFrame:
    return OPTIONS.filter(~pl.col("date").is_in(list(days)))


def altered(options: pl.DataFrame, later_than: dt.date) -> pl.DataFrame:
    later = pl.col("date") > later_than
    return options.with_columns(pl.when(later).then(900.0 - pl.col("volatility")).otherwise("volatility"))


def factor(h: History, day: dt.date) -> Floats:
    """What the correction multiplies each horizon by, from the anchors with and without it."""
    return anchor(h, day)[:, -1] / anchor(h, day, options=False)[:, -1]


def test_M8_altering_every_later_value_and_candle_leaves_the_anchor_unchanged() -> None:
    later = altered_after(KLINES, ORIGIN)
    known = altered(OPTIONS.filter(pl.col("date") <= ORIGIN), ORIGIN)
    future = altered(options_of(later).filter(pl.col("date") > ORIGIN), ORIGIN)
    changed = history_of(pl.concat([known, future]), later)
    assert anchor(changed, ORIGIN).tobytes() == anchor(H, ORIGIN).tobytes()
    assert anchor(H, ORIGIN).tobytes() != anchor(BARE, ORIGIN).tobytes()


def test_values_of_the_running_month_move_no_coefficient_but_their_own_day_s_factor() -> None:
    first = ORIGIN.replace(day=1)
    changed = history_of(altered(OPTIONS, first))
    here, there = (_month(h, h.index(first)).correction for h in (H, changed))
    assert here is not None
    assert there is not None
    assert here.slopes.tobytes() == there.slopes.tobytes()
    until = slice(H.index(first) + 1)
    assert here.standard[:, until].tobytes() == there.standard[:, until].tobytes()


def test_the_same_bytes_from_what_it_may_read_and_from_all() -> None:
    for t in (1350, 1640, 2000, 2299):
        day = FIRST + t * DAY
        reach = history_of(start=day - ANCHOR_REACH * DAY, end=day + DAY)
        assert anchor(reach, day).tobytes() == anchor(H, day).tobytes(), day


def test_what_is_older_than_four_years_does_not_count() -> None:
    day, whole = FIRST + 2299 * DAY, options_of(KLINES, FIRST + 300 * DAY)
    oldest = day.replace(day=1) - (FIT_DAYS + MONTH - 1) * DAY
    recent = whole.filter(pl.col("date") >= oldest)
    assert whole.height > recent.height
    assert anchor(history_of(recent), day).tobytes() == anchor(history_of(whole), day).tobytes()


def test_off_is_what_it_was() -> None:
    """No value at all, a history that was given none, and the correction left out: the same bytes."""
    assert BARE.log_implied is not None
    bytes_of = anchor(BARE, ORIGIN).tobytes()
    assert anchor(replace(BARE, log_implied=None), ORIGIN).tobytes() == bytes_of
    assert anchor(H, ORIGIN, options=False).tobytes() == bytes_of
    assert data_digest(BARE, ORIGIN) == data_digest(replace(BARE, log_implied=None), ORIGIN)
    assert data_digest(BARE, ORIGIN) != data_digest(H, ORIGIN)


@pytest.mark.parametrize("before", [0, *CHANGES])
def test_a_day_that_lacks_a_value_goes_without(before: int) -> None:
    lost = history_of(without(ORIGIN - before * DAY))
    assert anchor(lost, ORIGIN).tobytes() == anchor(BARE, ORIGIN).tobytes()
    assert not np.allclose(factor(lost, ORIGIN - 20 * DAY), 1.0), "other days have theirs"


def test_a_day_of_the_month_before_may_lack_its_value() -> None:
    lost = history_of(without(*(ORIGIN - days * DAY for days in (10, 11, 12))))
    assert not np.allclose(factor(lost, ORIGIN)[:7], 1.0)


def test_too_few_days_give_none_and_enough_do() -> None:
    early = BEGAN + (FEWEST - 10) * DAY
    assert anchor(H, early).tobytes() == anchor(BARE, early).tobytes()
    assert not np.allclose(factor(H, BEGAN + (FEWEST + 60) * DAY)[0], 1.0)


@pytest.mark.parametrize("percent", [0.01, 999.0])
def test_a_leap_counts_for_no_more_than_the_most(percent: float) -> None:
    wild = history_of(
        OPTIONS.with_columns(
            volatility=pl.when(pl.col("date") == ORIGIN).then(percent).otherwise("volatility")
        )
    )
    correction = _month(wild, wild.month_start(wild.index(ORIGIN))).correction
    assert correction is not None
    assert np.abs(correction.standard[: len(CHANGES), wild.index(ORIGIN)]).tolist() == [MOST] * len(CHANGES)
    assert np.abs(np.log(factor(wild, ORIGIN))).max() <= LARGEST + 1e-12


def test_a_factor_is_bounded_and_fades_as_the_days_ahead_do() -> None:
    horizons = np.array([1, 2, 7, 30, 90])
    slopes = np.array([0.05, -0.02, 0.03, 0.04])
    found = Correction(np.ones((4, 1)), slopes).log_factors(0, horizons)
    each = (slopes * FADE ** np.arange(90)[:, None]).sum(axis=1)
    assert np.allclose(found, [each[:horizon].mean() for horizon in horizons], rtol=1e-12)
    assert Correction(np.ones((4, 1)), slopes * 100).log_factors(0, horizons).max() == LARGEST


def test_the_slopes_solve_the_ridge_regression_over_all_days_ahead() -> None:
    """Day by day, as least squares with the penalty as further rows; days that lack a value are left out."""
    rng, start = np.random.default_rng(7), 420
    implied, daily = np.cumsum(rng.normal(0.0, 0.05, 500)), rng.normal(0.0, 0.3, 500)
    implied[[50, 200]], daily[[90, 300]] = np.nan, np.nan
    expected = np.cumsum(rng.normal(0.0, 0.01, (MONTH, 500)), axis=1)
    found = fit_correction(implied, daily, expected, start)
    told, missed = [], []
    for ahead in range(1, MONTH + 1):
        before = (ahead - 1) * expected[ahead - 2] if ahead > 1 else np.zeros(500)
        surprise = {
            t: daily[t + ahead] - (ahead * expected[ahead - 1] - before)[t] for t in range(start + 1 - ahead)
        }
        days = [t for t, s in surprise.items() if np.isfinite([s, *found.standard[:, t]]).all()]
        mean = np.mean([surprise[t] for t in days])
        told += [found.standard[:, t] * FADE ** (ahead - 1) for t in days]
        missed += [surprise[t] - mean for t in days]
    penalised = np.vstack([*told, np.sqrt(RIDGE) * np.eye(4)])
    slopes = np.linalg.lstsq(penalised, np.array([*missed, 0, 0, 0, 0]), rcond=None)[0]
    assert np.allclose(found.slopes, slopes, rtol=1e-9)
    assert np.abs(slopes).max() > 1e-3


def test_options_that_know_something_make_the_next_day_s_forecast_better() -> None:
    days = range(1500, 2200)
    outcomes = np.array([H.log_close[t + 1] - H.log_close[t] for t in days])[:, None]
    losses = [
        pinball(np.stack([Anchors(h).at(FIRST + t * DAY)[:1] for t in days]), outcomes).mean()
        for h in (H, BARE)
    ]
    assert losses[0] < 0.99 * losses[1]


def test_the_trained_horizons_are_rows_of_the_anchor() -> None:
    assert np.allclose(Anchors(H).at(ORIGIN), anchor(H, ORIGIN)[TRAINED_HORIZONS - 1], rtol=1e-12)
    assert (np.diff(anchor(H, ORIGIN), axis=1) >= 0).all()
