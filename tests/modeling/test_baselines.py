from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_candles import FIRST, altered_after, candles

from btc_assets.contracts import BASELINE_FORECASTS, HORIZONS, LEVELS, MEDIAN, QUANTILES
from btc_assets.errors import NotEnoughHistory
from btc_assets.modeling.baselines import (
    baseline_forecasts,
    last_close,
    mixture_walk,
    random_walk,
    weekday_factors,
)
from btc_assets.modeling.empirical_quantiles import quantiles_of, rolling_quantiles
from btc_assets.modeling.history import history

DAY = dt.timedelta(days=1)
KLINES = candles(1400)
H = history(KLINES)
LOG_CLOSE = np.log(KLINES["close"].to_numpy())


@pytest.mark.parametrize("t", [520, 1300])
def test_random_walk_is_the_empirical_quantiles_of_last_years_returns(t: int) -> None:
    quantiles = random_walk(H, [t])[0]
    for h in (1, 7, 90):
        ends = range(max(h, t - 364), t + 1)
        expected = np.quantile([LOG_CLOSE[e] - LOG_CLOSE[e - h] for e in ends], LEVELS)
        assert quantiles[h - 1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("t", [520, 1300])
def test_mixture_walk_is_the_mean_of_weekday_free_centred_quantiles(t: int) -> None:
    day = FIRST + t * DAY
    factors = weekday_factors(H, H.index(day.replace(day=1)))
    quantiles = mixture_walk(H, [t])[0, [0, 9]]

    def span(s: int, h: int) -> float:
        return float(np.sqrt(np.mean([factors[(FIRST + (s + j) * DAY).weekday()] for j in range(1, h + 1)])))

    for row, h in enumerate((1, 10)):
        expected = np.zeros(21)
        for days in (365, 730, 1095):
            z = [
                (LOG_CLOSE[s + h] - LOG_CLOSE[s]) / span(s, h)
                for s in range(max(0, t - h - days + 1), t - h + 1)
            ]
            q = np.quantile(z, LEVELS)
            expected += (q - q[MEDIAN]) / 3
        assert quantiles[row] == pytest.approx(expected * span(t, h), abs=1e-12)


def test_weekday_factors_find_a_quiet_day() -> None:
    quiet = pl.col("date").dt.weekday() == 7
    calm = KLINES.with_columns(
        pl.when(quiet)
        .then((pl.col("high") * pl.col("low")).sqrt() * 1.001)
        .otherwise(pl.col("high"))
        .alias("high"),
        pl.when(quiet)
        .then((pl.col("high") * pl.col("low")).sqrt() / 1.001)
        .otherwise(pl.col("low"))
        .alias("low"),
    )
    factors = weekday_factors(history(calm), 1300)
    assert factors[6] < 0.2 * factors[:6].min()
    assert factors.mean() == pytest.approx(1.0)


def test_last_close_stays_where_it_is() -> None:
    assert not last_close(H, [600]).any()


def test_quantiles_of_leaves_missing_values_out() -> None:
    sample = np.array([[3.0, np.nan, 1.0, 2.0, np.nan, 10.0]])
    assert quantiles_of(sample)[0] == pytest.approx(np.quantile([3.0, 1.0, 2.0, 10.0], LEVELS))


@given(st.data())
def test_rolling_quantiles_are_those_of_each_window_to_the_bit(data: st.DataObject) -> None:
    days, width = data.draw(st.integers(8, 40)), data.draw(st.integers(1, 40))
    cells = st.one_of(st.floats(-1, 1).map(lambda x: x + 0.0), st.sampled_from([0.0, 0.5, np.nan]))
    width = min(width, days)
    samples = np.array([data.draw(st.lists(cells, min_size=days, max_size=days)) for _ in range(2)])
    samples[:, ::width] = 0.25  # each window has a value
    found = rolling_quantiles(samples, width)
    for start in range(days - width + 1):
        assert found[:, start].tobytes() == quantiles_of(samples[:, start : start + width]).tobytes()


def test_rows_follow_the_contract_and_their_vintage_is_the_origin() -> None:
    origins = [FIRST + t * DAY for t in (600, 601)]
    rows = baseline_forecasts(KLINES, origins)
    assert rows.height == 2 * 3 * HORIZONS
    assert [*rows.schema.items()] == [x for x in BASELINE_FORECASTS.schema.items() if x[0] != "issued_at"]
    assert (rows["vintage"] == rows["origin_date"]).all()
    assert (rows["target_date"] - rows["origin_date"]).dt.total_days().to_list() == rows["horizon"].to_list()
    prices = rows.select(QUANTILES).to_numpy()
    assert (np.diff(prices, axis=1) >= 0).all()
    walk = rows.filter(pl.col("model") == "mixture_walk")
    assert walk["q500"].to_numpy() == pytest.approx(np.repeat(np.exp(LOG_CLOSE[[600, 601]]), HORIZONS))


def test_an_origin_gives_the_same_bytes_alone_and_in_a_range() -> None:
    origins = [FIRST + t * DAY for t in range(1290, 1300)]
    whole = baseline_forecasts(KLINES, origins)
    for origin in origins[::4]:
        alone = baseline_forecasts(KLINES.filter(pl.col("date") <= origin), [origin])
        assert alone.equals(whole.filter(pl.col("origin_date") == origin))


def test_M8_altering_every_later_candle_leaves_baselines_unchanged() -> None:
    origin = FIRST + 1200 * DAY
    assert baseline_forecasts(altered_after(KLINES, origin), [origin]).equals(
        baseline_forecasts(KLINES, [origin])
    )


def test_M7_too_few_candles_say_how_many_are_needed() -> None:
    with pytest.raises(NotEnoughHistory, match="needs 500 candles before it, there are 300"):
        baseline_forecasts(KLINES, [FIRST + 300 * DAY])
    with pytest.raises(NotEnoughHistory, match="no candle"):
        baseline_forecasts(KLINES, [FIRST + 5000 * DAY])


def test_D6_a_missing_day_drops_out_of_the_quantiles() -> None:
    t, gap = 900, 880
    gapped = history(KLINES.filter(pl.col("date") != FIRST + gap * DAY))
    ends = [e for e in range(t - 364, t + 1) if gap not in (e, e - 1)]
    expected = np.quantile([LOG_CLOSE[e] - LOG_CLOSE[e - 1] for e in ends], LEVELS)
    assert random_walk(gapped, [t])[0, 0] == pytest.approx(expected, abs=1e-12)
