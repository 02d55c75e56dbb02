"""What every table backend must do, whatever it is made of."""

from __future__ import annotations

import dataclasses
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from btc_assets.contracts import FORECASTS, UTC_US, Column
from btc_assets.errors import StorageError, TableMissing, WriteConflict
from btc_assets.factory import all_tables

from .conftest import SAMPLES, day, nulled, older, reopen, samples


def test_a_table_that_was_never_written_says_so(tables) -> None:
    assert not tables.exists(SAMPLES)
    with pytest.raises(TableMissing, match="materialise"):
        tables.read(SAMPLES)


def test_ensuring_a_table_twice_leaves_it_alone(tables) -> None:
    tables.ensure_table(SAMPLES)
    tables.ensure_table(SAMPLES)
    assert tables.exists(SAMPLES)
    assert tables.version(SAMPLES) == 0
    assert_frame_equal(tables.read(SAMPLES), SAMPLES.empty())


def test_rows_come_back_exactly_and_sorted_by_day_then_key(tables) -> None:
    rows = pl.concat([samples(2, 0, 1), samples(1, 0, symbol="ADA")])
    receipt = tables.upsert(SAMPLES, rows)
    assert (receipt.inserted, receipt.updated, receipt.unchanged) == (5, 0, 0)
    assert_frame_equal(tables.read(SAMPLES), rows.sort("date", "symbol"))


def test_types_and_time_zones_survive_at_their_limits(tables) -> None:
    rows = pl.DataFrame(
        {
            "symbol": ["a", "b"],
            "date": [dt.date(1970, 1, 1), dt.date(2099, 12, 31)],
            "horizon": [-(2**15), 2**15 - 1],
            "trades": [-(2**63), 2**63 - 1],
            "close": [5e-324, 1.7976931348623157e308],
            "live": [True, None],
            "other_day": [dt.date(1900, 2, 28), None],
            "at": [dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, dt.UTC), None],
            "note": ["", "Ü\n\0'\"₿"],
        },
        schema=SAMPLES.schema,
    )
    tables.upsert(SAMPLES, rows)
    assert_frame_equal(tables.read(SAMPLES), rows, abs_tol=0, rel_tol=0)


def test_T8_writing_the_same_rows_again_changes_nothing(tables) -> None:
    first = tables.upsert(SAMPLES, samples(0, 1, 2))
    again = tables.upsert(SAMPLES, samples(1, 2))
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 2)
    assert again.version == first.version == tables.version(SAMPLES)
    assert again.inserted == again.updated == 0


def test_an_overlapping_range_inserts_replaces_and_keeps(tables) -> None:
    tables.upsert(SAMPLES, samples(0, 1, 2, 3))
    receipt = tables.upsert(SAMPLES, pl.concat([samples(2), samples(3, 4, 5, close=9.0)]))
    assert (receipt.inserted, receipt.updated, receipt.unchanged) == (2, 1, 1)
    expected = pl.concat([samples(0, 1, 2), samples(3, 4, 5, close=9.0)])
    assert_frame_equal(tables.read(SAMPLES), expected)


def test_replacing_a_value_by_null_and_back_is_a_change(tables) -> None:
    tables.upsert(SAMPLES, samples(1))
    gone = samples(1).with_columns(note=pl.lit(None, pl.String))
    assert tables.upsert(SAMPLES, gone).updated == 1
    assert tables.read(SAMPLES)["note"].to_list() == [None]
    assert tables.upsert(SAMPLES, samples(1)).updated == 1


def test_windows_are_half_open(tables) -> None:
    tables.upsert(SAMPLES, samples(*range(6)))
    got = tables.read(SAMPLES, start=day(1), end=day(4))["date"].to_list()
    assert got == [day(1), day(2), day(3)]
    assert tables.read(SAMPLES, start=day(4), end=day(4)).is_empty()
    assert tables.read(SAMPLES, end=day(1))["date"].to_list() == [day(0)]
    assert tables.read(SAMPLES, start=day(5))["date"].to_list() == [day(5)]


def test_a_window_without_rows_has_the_schema(tables) -> None:
    tables.upsert(SAMPLES, samples(0))
    assert_frame_equal(tables.read(SAMPLES, start=day(50)), SAMPLES.empty())
    assert tables.read(SAMPLES, columns=["close"], start=day(50)).schema == {"close": pl.Float64}


def test_columns_come_in_the_order_asked_for(tables) -> None:
    tables.upsert(SAMPLES, samples(1, 0))
    got = tables.read(SAMPLES, columns=["trades", "symbol"])
    assert got.columns == ["trades", "symbol"]
    assert got["trades"].to_list() == [2**53, 2**53 + 1]
    with pytest.raises(StorageError, match=r"no columns.*'nope'"):
        tables.read(SAMPLES, columns=["nope"])


def test_deleting_keys_leaves_the_other_rows(tables) -> None:
    tables.upsert(SAMPLES, pl.concat([samples(0, 1, 2), samples(1, symbol="ADA")]))
    keys = pl.DataFrame({"symbol": ["BTC", "BTC"], "date": [day(1), day(77)]})
    receipt = tables.delete_keys(SAMPLES, keys)
    assert (receipt.updated, receipt.unchanged) == (1, 1)
    expected = pl.concat([samples(0, 1, 2), samples(1, symbol="ADA")]).sort("date", "symbol")
    expected = expected.filter(~((pl.col("symbol") == "BTC") & (pl.col("date") == day(1))))
    assert_frame_equal(tables.read(SAMPLES), expected)
    assert tables.delete_keys(SAMPLES, keys).updated == 0


def test_the_last_row_can_be_deleted(tables) -> None:
    tables.upsert(SAMPLES, samples(0))
    tables.delete_keys(SAMPLES, samples(0).select("symbol", "date"))
    assert_frame_equal(tables.read(SAMPLES), SAMPLES.empty())


def test_a_key_twice_in_one_write_is_refused(tables) -> None:
    with pytest.raises(StorageError, match="key twice"):
        tables.upsert(SAMPLES, pl.concat([samples(0), samples(0, close=2.0)]))


@pytest.mark.parametrize("column", ["symbol", "date"])
def test_a_null_in_the_key_is_refused(tables, column) -> None:
    dtype = SAMPLES.schema[column]
    with pytest.raises(StorageError, match="null in the key"):
        tables.upsert(SAMPLES, samples(0).with_columns(pl.lit(None, dtype).alias(column)))


def test_a_frame_that_breaks_the_contract_is_refused(tables) -> None:
    with pytest.raises(StorageError, match=r"missing .'close'."):
        tables.upsert(SAMPLES, samples(0).drop("close"))
    with pytest.raises(StorageError, match=r"not in the contract .'more'."):
        tables.upsert(SAMPLES, samples(0).with_columns(more=1))
    with pytest.raises(StorageError, match="horizon is Int64, not Int16"):
        tables.upsert(SAMPLES, samples(0).with_columns(pl.col("horizon").cast(pl.Int64)))
    with pytest.raises(StorageError, match="at is Datetime"):
        tables.upsert(SAMPLES, samples(0).with_columns(pl.col("at").dt.replace_time_zone(None)))


def test_columns_in_another_order_are_put_right(tables) -> None:
    tables.upsert(SAMPLES, samples(0, 1).select(reversed(samples(0).columns)))
    assert_frame_equal(tables.read(SAMPLES), samples(0, 1))


def test_a_table_with_another_schema_is_not_touched(tables) -> None:
    tables.upsert(SAMPLES, samples(0))
    other = dataclasses.replace(
        SAMPLES, columns=(*SAMPLES.columns[:-1], Column("note", pl.Float64, "no longer words"))
    )
    with pytest.raises(StorageError, match=r"another schema.*note"):
        tables.ensure_table(other)
    assert_frame_equal(tables.read(SAMPLES), samples(0))


@pytest.mark.parametrize("column", [c for c in SAMPLES.schema if c not in SAMPLES.key])
def test_a_table_of_an_older_release_gains_a_column_that_is_null_in_its_rows(tables, column) -> None:
    tables.upsert(older(column), samples(0, 1, 2).drop(column))
    newer = reopen(tables)
    assert_frame_equal(newer.read(SAMPLES), nulled(samples(0, 1, 2), column))
    assert newer.read(SAMPLES, columns=[column], start=day(2))[column].to_list() == [None]
    receipt = newer.upsert(SAMPLES, pl.concat([nulled(samples(0), column), samples(1, 5)]))
    assert (receipt.inserted, receipt.updated, receipt.unchanged) == (1, 1, 1)
    expected = pl.concat([nulled(samples(0), column), samples(1), nulled(samples(2), column), samples(5)])
    assert_frame_equal(reopen(tables).read(SAMPLES), expected)
    assert newer.upsert(SAMPLES, expected).unchanged == expected.height
    assert newer.version(SAMPLES) == receipt.version


def test_an_upgrade_can_add_several_columns_and_replace_values_by_null_again(tables) -> None:
    tables.upsert(older("note", "trades"), samples(1, 2).drop("note", "trades"))
    newer = reopen(tables)
    newer.ensure_table(SAMPLES)
    assert_frame_equal(newer.read(SAMPLES), nulled(samples(1, 2), "note", "trades"))
    assert newer.insert(SAMPLES, samples(4)).inserted == 1
    with pytest.raises(WriteConflict, match="other values"):
        newer.insert(SAMPLES, samples(1))
    assert newer.upsert(SAMPLES, samples(1)).updated == 1
    assert newer.upsert(SAMPLES, nulled(samples(1, 4), "note")).updated == 2
    assert reopen(tables).read(SAMPLES)["note"].null_count() == 3
    assert newer.delete_keys(SAMPLES, samples(2).select("symbol", "date")).updated == 1
    assert_frame_equal(newer.read(SAMPLES), nulled(samples(1, 4), "note"))


def test_a_store_that_read_a_table_before_its_upgrade_sees_what_is_written_after(tables) -> None:
    tables.upsert(older("close"), samples(0).drop("close"))
    reader, writer = reopen(tables), reopen(tables)
    assert reader.read(SAMPLES)["close"].to_list() == [None]
    writer.upsert(SAMPLES, samples(0, 1))
    assert_frame_equal(reader.read(SAMPLES), samples(0, 1))
    assert reader.upsert(SAMPLES, samples(0, 1)).unchanged == 2


def test_several_may_upgrade_a_table_at_once(tables) -> None:
    tables.upsert(older("close"), samples(0).drop("close"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: store.ensure_table(SAMPLES), [reopen(tables) for _ in range(4)]))
    tables.upsert(SAMPLES, samples(1))
    expected = pl.concat([nulled(samples(0), "close"), samples(1)])
    assert_frame_equal(reopen(tables).read(SAMPLES), expected)


def test_a_table_of_a_newer_release_is_refused_and_says_so(tables) -> None:
    tables.upsert(SAMPLES, samples(0))
    old = reopen(tables)
    said = r"another schema; columns that differ: \['close', 'note'\]\. It was written by a newer release"
    with pytest.raises(StorageError, match=said):
        old.ensure_table(older("close", "note"))
    with pytest.raises(StorageError, match=said):
        old.upsert(older("close", "note"), samples(1).drop("close", "note"))
    assert_frame_equal(tables.read(SAMPLES), samples(0))


@pytest.mark.parametrize("also", ["another type", "an unknown column", "a key column"])
def test_an_upgrade_that_is_more_than_new_columns_is_refused(tables, also) -> None:
    there = older("close")
    if also == "another type":
        columns = (*there.columns[:-1], Column("note", pl.Float64, "not yet words"))
        there = dataclasses.replace(there, columns=columns)
    elif also == "an unknown column":
        there = dataclasses.replace(there, columns=(*there.columns, Column("gone", pl.Float64, "given up")))
    else:
        there = dataclasses.replace(older("symbol"), key=("date",))
    tables.ensure_table(there)
    newer = reopen(tables)
    with pytest.raises(StorageError, match=r"another schema.*materialise its asset again"):
        newer.ensure_table(SAMPLES)
    with pytest.raises(StorageError, match=r"another schema.*materialise its asset again"):
        newer.upsert(SAMPLES, samples(0))
    assert_frame_equal(tables.read(there), there.empty())


def test_an_empty_write_is_no_write(tables) -> None:
    tables.upsert(SAMPLES, samples(0))
    receipt = tables.upsert(SAMPLES, SAMPLES.empty())
    assert receipt.inserted == receipt.updated == 0
    assert receipt.version == tables.version(SAMPLES)


def test_inserting_takes_only_keys_that_are_new(tables) -> None:
    tables.insert(SAMPLES, samples(0, 1))
    assert tables.insert(SAMPLES, samples(1, 2)).inserted == 1
    with pytest.raises(WriteConflict, match="other values"):
        tables.insert(SAMPLES, pl.concat([samples(2, close=7.0), samples(3)]))
    assert_frame_equal(tables.read(SAMPLES), samples(0, 1, 2))


def test_two_stores_at_one_place_see_each_other(tables) -> None:
    other = reopen(tables)
    tables.upsert(SAMPLES, samples(0))
    assert other.read(SAMPLES).height == 1
    other.upsert(SAMPLES, samples(1))
    tables.upsert(SAMPLES, samples(2))
    assert_frame_equal(other.read(SAMPLES), samples(0, 1, 2))


def test_an_old_version_of_a_delta_table_stays_readable(local_tables) -> None:
    tables = local_tables
    old = tables.upsert(SAMPLES, samples(0, 1)).version
    tables.upsert(SAMPLES, samples(1, close=5.0))
    tables.delete_keys(SAMPLES, samples(0).select("symbol", "date"))
    assert_frame_equal(tables.read(SAMPLES, version=old), samples(0, 1))
    assert_frame_equal(tables.read(SAMPLES), samples(1, close=5.0))
    with pytest.raises(StorageError, match="has versions 0 to 3, not 99"):
        tables.read(SAMPLES, version=99)


def test_a_history_of_3400_days_is_one_version(tables) -> None:
    receipt = tables.upsert(SAMPLES, samples(*range(3_400)))
    assert receipt.version == 1
    assert tables.read(SAMPLES).height == 3_400
    assert tables.read(SAMPLES, start=day(3_399))["date"].to_list() == [day(3_399)]


def test_a_day_of_forecasts_in_300000_is_replaced_alone(tables) -> None:
    days, horizons = 1_112, 90
    origins = pl.DataFrame({"origin_date": [day(d) for d in range(days)]})
    rows = (
        origins.join(pl.DataFrame({"model": ["mlp", "lstm", "ensemble"]}), how="cross")
        .join(pl.DataFrame({"horizon": range(1, horizons + 1)}, schema={"horizon": pl.Int16}), how="cross")
        .with_columns(
            symbol=pl.lit("BTC"),
            target_date=pl.col("origin_date") + pl.duration(days=pl.col("horizon")),
            vintage=pl.lit(day(0)),
            issued_at=pl.lit(dt.datetime(2024, 1, 1, tzinfo=dt.UTC), UTC_US),
            **{name: pl.col("horizon") * 0.25 for name in FORECASTS.schema if name.startswith("q")},
        )
        .select(pl.col(name).cast(dtype) for name, dtype in FORECASTS.schema.items())
    )
    assert tables.upsert(FORECASTS, rows).inserted == days * 270
    changed = rows.filter(pl.col("origin_date") == day(500)).with_columns(q500=pl.lit(-1.0))
    assert tables.upsert(FORECASTS, changed).updated == 270
    got = tables.read(FORECASTS, columns=["q500"], start=day(499), end=day(502))
    assert got["q500"].eq(-1.0).sum() == 270


def test_every_table_of_the_platform_can_be_kept(tables) -> None:
    for spec in all_tables().values():
        tables.ensure_table(spec)
        assert_frame_equal(tables.read(spec), spec.empty())
