"""Rows of the kline format: what is believed, what is refused and how the refusal reads."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from candles import candle
from hypothesis import given
from hypothesis import strategies as st

from btc_assets.errors import BadCandle
from btc_assets.market.calendar import FIRST_DAY, FOUR_HOURS
from btc_assets.market.kline import Kline
from btc_assets.market.wire_format import COLUMNS, parse_row, to_row

ROW = ["1519776000000", "10", "12", "9", "11", "5", "1519862399999", "52", "7", "2", "21", "0"]
"""A good row of 2018-02-28."""


def parse(row: object) -> Kline:
    return parse_row(row, symbol="BTCUSDT", source="archive", where="file.csv line 3")


def changed(name: str, value: Any) -> list[Any]:
    row: list[Any] = list(ROW)
    row[COLUMNS.index(name)] = value
    return row


prices = st.floats(1e-8, 1e9)
shares = st.floats(0, 1)


@st.composite
def klines(draw: st.DrawFn) -> Kline:
    low, a, b, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    opening, closing = draw(st.permutations([a, b]))
    volume, quote, share = draw(st.floats(0, 1e12)), draw(st.floats(0, 1e14)), draw(shares)
    plain = candle(draw(st.dates(FIRST_DAY, dt.date(2100, 1, 1))))
    values = {name: getattr(plain, name) for name in Kline.__slots__}
    values |= {"open": opening, "high": high, "low": low, "close": closing, "source": "archive"}
    values |= {"volume": volume, "quote_volume": quote, "trades": draw(st.integers(0, 10**12))}
    return Kline(**values | {"taker_buy_base": volume * share, "taker_buy_quote": quote * share})


@given(klines())
def test_a_candle_survives_being_written_as_a_row(kline: Kline) -> None:
    assert parse(to_row(kline)) == kline
    assert parse(json.loads(json.dumps(to_row(kline)))) == kline


BAR = ["1504699200000", "10", "12", "9", "11", "5", "1504713600000", "52", "7", "2", "21", "0"]
"""Of 2017-09-06 12:00, which on Binance ends on the instant at which the next bar begins."""


def bar(**times: int) -> Kline:
    row: list[Any] = list(BAR)
    for name, value in times.items():
        row[COLUMNS.index(name.replace("_", " "))] = value
    return parse_row(row, symbol="BTCUSDT", source="archive", where="line 3", interval=FOUR_HOURS)


def test_a_4_hour_candle_belongs_to_the_day_it_begins_in() -> None:
    kline = bar()
    assert kline.date == dt.date(2017, 9, 6)
    assert kline.open_time == dt.datetime(2017, 9, 6, 12, tzinfo=dt.UTC)
    assert kline.close_time == dt.datetime(2017, 9, 6, 16, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"open_time": 1504702800000}, "not on the day's 4h grid"),
        ({"close_time": 1504713600001}, "outside the 4h that begin at 12:00"),
        ({"close_time": 1504699200000}, "outside the 4h that begin at 12:00"),
    ],
)
def test_D4_a_4_hour_candle_off_its_grid_is_refused(times: dict[str, int], said: str) -> None:
    with pytest.raises(BadCandle, match=said):
        bar(**times)


def test_D4_a_daily_candle_must_end_before_the_next_begins() -> None:
    with pytest.raises(BadCandle, match="outside its day"):
        parse(changed("close time", 1519862400000))


@given(klines())
def test_D3_microseconds_give_the_same_candle_as_milliseconds(kline: Kline) -> None:
    row = to_row(kline)
    row[0], row[6] = row[0] + "000", row[6] + "999"
    assert parse(row) == kline


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(0, 10), json_values)
def test_whatever_a_field_holds_the_answer_is_a_true_candle_or_bad_candle(index: int, value: object) -> None:
    row: list[Any] = list(ROW)
    row[index] = value
    try:
        kline = parse(row)
    except BadCandle:
        return
    assert 0 < kline.low <= min(kline.open, kline.close)
    assert max(kline.open, kline.close) <= kline.high < 1e15
    assert 0 <= kline.taker_buy_base <= kline.volume < 1e15


@given(json_values)
def test_whatever_is_no_row_is_a_bad_candle(value: object) -> None:
    with pytest.raises(BadCandle):
        parse(value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("high", "8", "high 8.0 is below"),
        ("low", "10.5", "low 10.5 is above"),
        ("low", "0", "low = 0.0 is not a finite, positive"),
        ("close", "-11", "close = -11.0"),
        ("open", float("inf"), "open = inf"),
        ("high", "1000000000000000", "high = 1000000000000000.0"),
        ("high", float("nan"), "high = nan"),
        ("volume", "-1", "volume = -1.0"),
        ("quote volume", "1" + "0" * 18, "quote_volume = 1e\\+18"),
        ("taker buy base volume", "5.1", "takers bought more"),
        ("taker buy quote volume", "53", "takers bought more"),
        ("trades", "7.5", "column 'trades' = '7.5' is not a whole number"),
    ],
)
def test_D8_a_candle_that_cannot_be_true_is_refused_with_its_row(name: str, value: Any, message: str) -> None:
    with pytest.raises(BadCandle, match=message) as caught:
        parse(changed(name, value))
    assert "file.csv line 3" in str(caught.value)
    assert "'1519776000000'" in str(caught.value)


@pytest.mark.parametrize("length", range(12))
def test_D9_too_few_columns_name_the_first_that_is_missing(length: int) -> None:
    with pytest.raises(BadCandle, match=f"column '{COLUMNS[length]}' is missing \\({length} of 12\\)"):
        parse(ROW[:length])


def test_D9_a_column_too_many_is_shown() -> None:
    with pytest.raises(
        BadCandle, match="13 columns; there is none after 'ignore', but the row goes on with 'x'"
    ):
        parse([*ROW, "x"])


@pytest.mark.parametrize("shift", [1, 3_600_000, -1, 999])
def test_D4_an_open_time_off_the_day_s_grid_is_refused(shift: int) -> None:
    with pytest.raises(BadCandle, match="not at the day's midnight UTC"):
        parse(changed("open time", str(int(ROW[0]) + shift)))


def test_D4_an_open_time_off_by_microseconds_is_refused() -> None:
    row = changed("open time", ROW[0] + "001")
    row[6] = ROW[6] + "999"
    with pytest.raises(BadCandle, match="not at the day's midnight UTC"):
        parse(row)


def test_D4_a_bar_that_ends_on_another_day_is_refused() -> None:
    with pytest.raises(BadCandle, match="outside its day"):
        parse(changed("close time", str(int(ROW[6]) + 86_400_000)))
