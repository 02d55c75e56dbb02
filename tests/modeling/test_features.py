from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_candles import FIRST, altered_after, bars_of, candles, features_of

from btc_assets.errors import ModelError
from btc_assets.modeling.features import ENGINEERED_FEATURES, FEATURES, LOOKBACK, NAMES, engineer
from btc_assets.modeling.history import LOG_REALISED
from btc_assets.series import BARS, CANDLES

DAY = dt.timedelta(days=1)
KLINES = candles(900)
WHOLE = features_of(KLINES)


def test_rows_follow_the_contract_one_a_day() -> None:
    assert WHOLE.schema == ENGINEERED_FEATURES.schema
    assert WHOLE["date"].to_list() == KLINES["date"].to_list()
    assert features_of(KLINES.clear()).schema == ENGINEERED_FEATURES.schema


def test_every_feature_is_documented() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for feature in FEATURES:
        assert feature.formula
        assert feature.meaning
        assert feature.source
        assert 1 <= feature.window <= LOOKBACK + 1


def test_a_feature_is_null_exactly_where_its_window_reaches_before_the_first_candle() -> None:
    for feature in FEATURES:
        assert WHOLE[feature.name].null_count() == feature.window - 1, feature.name
        assert WHOLE[feature.name][feature.window - 1 :].is_finite().all()


def test_volatility_is_the_documented_formula() -> None:
    v = np.log(KLINES["high"] / KLINES["low"]).to_numpy() ** 2 / (4 * np.log(2))
    expected = np.log(np.sqrt(v[-7:].mean() / v[-365:].mean()))
    assert WHOLE["volatility_7"][-1] == pytest.approx(expected, rel=1e-12)


def test_turnover_downside_and_weekday_are_the_documented_formulas() -> None:
    q = KLINES["quote_volume"].to_numpy()
    assert WHOLE["turnover_1"][-1] == pytest.approx(np.log((q[-1] + 1) / (q[-30:].mean() + 1)), rel=1e-9)
    r = np.diff(np.log(KLINES["close"].to_numpy()))[-7:]
    expected = (np.minimum(r, 0) ** 2).mean() / (r**2).mean() - 0.5
    assert WHOLE["downside_7"][-1] == pytest.approx(expected, abs=1e-6)
    monday = WHOLE.filter(pl.col("date").dt.weekday() == 1)
    assert monday["weekday_sin"].to_numpy() == pytest.approx(0.0)
    assert monday["weekday_cos"].to_numpy() == pytest.approx(1.0)


@settings(max_examples=25)
@given(start=st.integers(0, 500), length=st.integers(LOOKBACK + 1, 399))
def test_features_have_the_same_bytes_from_any_range_that_holds_their_window(start: int, length: int) -> None:
    part = features_of(KLINES[start : start + length])[LOOKBACK:]
    same = WHOLE[start + LOOKBACK : start + length]
    assert part.select(NAMES).to_numpy().tobytes() == same.select(NAMES).to_numpy().tobytes()


def test_M8_altering_every_later_candle_leaves_features_unchanged() -> None:
    day = FIRST + 700 * DAY
    altered = features_of(altered_after(KLINES, day))
    assert altered.filter(pl.col("date") <= day).equals(WHOLE.filter(pl.col("date") <= day))
    assert not altered.filter(pl.col("date") > day).equals(WHOLE.filter(pl.col("date") > day))


def test_D6_a_missing_day_has_no_row_and_is_not_invented_for_others() -> None:
    gap = FIRST + 600 * DAY
    gapped = features_of(KLINES.filter(pl.col("date") != gap))
    assert gap not in gapped["date"].to_list()
    after = gapped.filter(pl.col("date") == gap + DAY)
    twice = features_of(KLINES.filter(~pl.col("date").is_in([gap, gap - DAY])))
    assert twice.filter(pl.col("date") == gap + DAY)["volatility_3"].item() is None  # two thirds are missing
    v = np.log(KLINES["high"] / KLINES["low"]).to_numpy() ** 2 / (4 * np.log(2))
    thirty = v[[i for i in range(572, 602) if i != 600]].mean()
    year = v[[i for i in range(237, 602) if i != 600]].mean()
    assert after["volatility_30"].item() == pytest.approx(0.5 * np.log(thirty / year), rel=1e-9)


def test_rows_of_two_symbols_are_refused() -> None:
    with pytest.raises(ModelError, match="one symbol"):
        features_of(pl.concat([candles(3), candles(3, symbol="ETHUSDT")]))


def test_realised_variance_is_the_documented_formula() -> None:
    bars = bars_of(KLINES).filter(pl.col("date") == KLINES["date"][-1])
    v = np.log(bars["high"] / bars["low"]).to_numpy() ** 2 / (4 * np.log(2))
    assert WHOLE[LOG_REALISED][-1] == pytest.approx(np.log(6) + np.log(v).mean(), rel=1e-12)
    assert WHOLE[LOG_REALISED].null_count() == 0


@settings(max_examples=25)
@given(start=st.integers(0, 880), length=st.integers(1, 20))
def test_realised_variance_has_the_same_bytes_from_any_range(start: int, length: int) -> None:
    part = features_of(KLINES[start : start + length])
    assert part[LOG_REALISED].equals(WHOLE[start : start + length][LOG_REALISED])


@pytest.mark.parametrize(("missing", "known"), [(0, True), (2, True), (3, False), (6, False)])
def test_D6_a_day_with_too_few_bars_has_no_realised_variance(missing: int, known: bool) -> None:
    day = FIRST + 600 * DAY
    bars = bars_of(KLINES)
    first = bars.filter(pl.col("date") == day)["open_time"][:missing]
    kept = bars.filter(~pl.col("open_time").is_in(first.implode()))
    features = engineer({CANDLES.name: KLINES, BARS.name: kept})
    assert features[600, LOG_REALISED] is None or known
    assert features[600, LOG_REALISED] is not None or not known
    assert features[LOG_REALISED].null_count() == (not known)


def test_a_bar_that_an_outage_cut_short_is_not_used() -> None:
    day = FIRST + 600 * DAY
    bars = bars_of(KLINES)
    cut = (pl.col("date") == day) & (pl.col("open_time").dt.hour() == 8)
    ends = pl.when(cut).then(pl.col("open_time") + dt.timedelta(hours=2)).otherwise("close_time")
    short = engineer({CANDLES.name: KLINES, BARS.name: bars.with_columns(ends.alias("close_time"))})
    whole = engineer({CANDLES.name: KLINES, BARS.name: bars.filter(~cut)})
    assert short[600, LOG_REALISED] == whole[600, LOG_REALISED]
    assert short[600, LOG_REALISED] != WHOLE[600, LOG_REALISED]


def test_without_any_bar_there_are_features_and_no_realised_variance() -> None:
    features = engineer({CANDLES.name: KLINES})
    assert features[LOG_REALISED].null_count() == features.height
    assert features.drop(LOG_REALISED).equals(WHOLE.drop(LOG_REALISED))
