"""Equal rows share their bytes, other rows do not, and the bytes are those that docs/ledger.md describes."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_candles import bars_of

from btc_assets.errors import LedgerError
from btc_assets.ledger import code_version
from btc_assets.ledger.digest import (
    FORECAST_COLUMNS,
    encode,
    forecast_digests,
    prefix_digests,
    series_digests,
)
from btc_assets.market.calendar import DAY
from btc_assets.series import BARS, CANDLES

D = dt.date(2024, 1, 12)
EPOCH = dt.date(1970, 1, 1)


def test_a_forecast_hashes_as_documented(store) -> None:
    rows = store.rows([D])
    expected = hashlib.sha256(f"forecasts\n{' '.join(FORECAST_COLUMNS)}\n".encode())
    for row in rows.sort("model", "horizon").select(FORECAST_COLUMNS).iter_rows():
        symbol, model, origin, horizon, target, *quantiles, vintage = row
        days = [(day - EPOCH).days for day in (origin, target, vintage)]
        names = symbol.encode(), model.encode()
        expected.update(struct.pack(">24s24sqqq21dq", *names, days[0], horizon, days[1], *quantiles, days[2]))
    assert forecast_digests(rows) == {D: expected.hexdigest()}


def test_candles_hash_as_documented(make_candles) -> None:
    candles = make_candles(3)
    expected = hashlib.sha256(f"raw_klines\n{' '.join(CANDLES.content)}\n".encode())
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    for row in candles.select(CANDLES.content).iter_rows():
        symbol, day, *numbers, opens, closes = row
        times = [(t - epoch) // dt.timedelta(microseconds=1) for t in (opens, closes)]
        packed = struct.pack(">24sq6dq2d2q", symbol.encode(), (day - EPOCH).days, *numbers, *times)
        expected.update(packed)
    last = candles["date"][-1]
    assert series_digests(CANDLES, candles, [last])[last] == expected.hexdigest()


def test_4_hour_candles_hash_as_documented_in_order_of_time(make_candles) -> None:
    candles = make_candles(3)
    bars = bars_of(candles)
    expected = hashlib.sha256(f"raw_klines_4h\n{' '.join(CANDLES.content)}\n".encode())
    expected.update(encode(bars.select(CANDLES.content)).tobytes())
    last = candles["date"][-1]
    shuffled = bars.sample(fraction=1.0, shuffle=True, seed=1)
    assert series_digests(BARS, shuffled, [last])[last] == expected.hexdigest()
    before = last - DAY
    assert series_digests(BARS, shuffled, [before]) == series_digests(BARS, bars_of(candles[:2]), [before])


def test_the_order_of_rows_does_not_matter(store) -> None:
    rows = store.rows([D - DAY, D])
    assert forecast_digests(rows.sample(fraction=1.0, shuffle=True, seed=1)) == forecast_digests(rows)


def test_the_last_bit_of_any_cell_matters(store) -> None:
    rows = store.rows([D])
    base = forecast_digests(rows)[D]
    seen = {base}
    for column in FORECAST_COLUMNS:
        if column != "origin_date":
            seen.add(forecast_digests(changed(rows, column))[D])
    assert len(seen) == len(FORECAST_COLUMNS)


def changed(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """``rows`` with the smallest possible change of ``column`` in the first of them."""
    dtype = rows.schema[column]
    if dtype == pl.String:
        value = pl.col(column) + "x"
    elif dtype == pl.Date:
        value = pl.col(column).dt.offset_by("1d")
    elif dtype.is_integer():
        value = pl.col(column) + 100
    else:
        value = pl.col(column) * (1 + 2**-52)
    return rows.with_columns(pl.when(pl.int_range(pl.len()) == 0).then(value).otherwise(column).alias(column))


def test_a_prefix_does_not_see_what_comes_after(make_candles) -> None:
    candles = make_candles(10)
    days = candles["date"].to_list()
    whole = series_digests(CANDLES, candles, days)
    for count in (1, 4, 9):
        assert (
            series_digests(CANDLES, candles.head(count), days[:count])[days[count - 1]]
            == whole[days[count - 1]]
        )
    assert len(set(whole.values())) == 10


def test_an_origin_between_candles_has_the_hash_of_the_last_before_it(make_candles) -> None:
    candles = make_candles(5)
    gapped = candles.filter(pl.col("date") != candles["date"][3])
    digests = series_digests(CANDLES, gapped, candles["date"].to_list())
    assert digests[candles["date"][3]] == digests[candles["date"][2]]


FLOATS = st.one_of(st.none(), st.floats(allow_nan=True, width=64))


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_floats_are_big_endian_doubles_with_one_nan_and_one_missing(values: list[float | None]) -> None:
    cells = encode(pl.DataFrame({"x": values}, schema={"x": pl.Float64})).tobytes()
    for index, value in enumerate(values):
        cell = cells[8 * index : 8 * index + 8]
        if value is None:
            assert cell == b"\xff" * 8
        elif value != value:
            assert cell == bytes.fromhex("7ff8000000000000")
        else:
            assert cell == struct.pack(">d", value)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pl.Series("x", [1, None]), "1 missing values"),
        (pl.Series("x", ["a" * 25]), "at most 24 bytes"),
        (pl.Series("x", ["a\0b"]), "at most 24 bytes"),
        (pl.Series("x", [[1]]), "no encoding"),
    ],
)
def test_what_has_no_encoding_is_refused(column: pl.Series, told: str) -> None:
    with pytest.raises(LedgerError, match=told):
        encode(pl.DataFrame({"x": column}))


def test_rows_of_other_tables_never_share_a_hash(make_candles) -> None:
    rows = make_candles(2).select("date", "close")
    day = rows["date"][-1]
    digests = {prefix_digests(name, rows, [day])[day] for name in ("raw_klines", "features")}
    digests.add(prefix_digests("raw_klines", rows.rename({"close": "open"}), [day])[day])
    assert len(digests) == 3


def test_the_code_version_names_release_and_files(tmp_path, monkeypatch) -> None:
    first = code_version.code_version()
    assert first.startswith("0.")
    assert len(first.partition("+")[2]) == 16
    (tmp_path / "modeling").mkdir()
    (tmp_path / "modeling" / "a.py").write_text("x = 1\n")
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr("btc_assets.__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(code_version, "COMPUTES", ("modeling",))
    code_version.code_version.cache_clear()
    one = code_version.code_version()
    (tmp_path / "modeling" / "a.py").write_text("x = 2\n")
    code_version.code_version.cache_clear()
    assert len({first, one, code_version.code_version()}) == 3
    code_version.code_version.cache_clear()
