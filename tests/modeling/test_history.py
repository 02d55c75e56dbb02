from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_candles import FIRST, candles

from btc_assets.errors import ModelError, NotEnoughHistory
from btc_assets.modeling.history import history, window_mean

DAY = dt.timedelta(days=1)


def test_D6_a_day_without_a_candle_stays_empty() -> None:
    gap = FIRST + 5 * DAY
    h = history(candles(10).filter(pl.col("date") != gap))
    assert len(h) == 10
    assert np.isnan(h.close[5])
    assert np.isfinite(np.delete(h.close, 5)).all()
    with pytest.raises(NotEnoughHistory, match=str(gap)):
        h.index(gap)


def test_rows_of_two_symbols_are_refused() -> None:
    with pytest.raises(ModelError, match="one symbol"):
        history(pl.concat([candles(3), candles(3, symbol="ETHUSDT")]))


def test_a_day_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="more than one candle"):
        history(pl.concat([candles(3), candles(3)]))


def test_no_rows_say_what_to_do() -> None:
    with pytest.raises(NotEnoughHistory, match="materialise raw_klines"):
        history(candles(3), start=FIRST + 9 * DAY)


def test_days_are_placed_on_the_calendar() -> None:
    h = history(candles(40))
    assert h.last == FIRST + 39 * DAY
    assert [(FIRST + i * DAY).weekday() for i in range(40)] == h.weekday.tolist()
    assert FIRST + h.month_start(h.index(dt.date(2017, 9, 14))) * DAY == dt.date(2017, 9, 1)
    assert h.month_start(3) == 0


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=80),
    width=st.integers(1, 40),
    cut=st.integers(0, 79),
)
def test_a_window_mean_is_the_mean_and_does_not_depend_on_where_the_array_begins(
    values: list[float], width: int, cut: int
) -> None:
    x = np.array(values)
    means = window_mean(x, width)
    for i, mean in enumerate(means):
        if i < width - 1:
            assert np.isnan(mean)
        else:
            assert mean == pytest.approx(x[i - width + 1 : i + 1].mean(), abs=1e-9)
    later = window_mean(x[cut:], width)[width - 1 :]
    assert later.tobytes() == means[cut + width - 1 :].tobytes()


def test_a_window_that_lacks_more_than_a_third_of_its_days_has_no_mean() -> None:
    x = np.arange(30.0)
    x[[3, 14]] = np.nan
    means = window_mean(x, 6)
    assert means[5] == pytest.approx(np.nanmean(x[:6]))
    x[[1, 4]] = np.nan
    assert np.isnan(window_mean(x, 6)[5])
    assert np.isfinite(window_mean(x, 6)[12])
    assert window_mean(x, 6, whole=False)[2] == pytest.approx(1.0)
