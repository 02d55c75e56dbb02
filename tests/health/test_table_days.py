"""One truth about the days that are there, from real tables."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from table_rows import fill, put, rows_of

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    RAW_KLINES,
    RAW_KLINES_4H,
)
from btc_assets.health.table_days import missing_days, table_days
from btc_assets.market.calendar import DAY, closes_at, days
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.history import LOG_REALISED
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.vocabulary import DAILY_ASSETS

FIRST, LAST = dt.date(2026, 11, 1), dt.date(2026, 11, 24)
OLD = dt.date(2026, 9, 1)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path))


def test_everything_there_is_nothing_missing(tables: DeltaTables) -> None:
    fill(tables, list(days(FIRST, LAST + DAY)))
    found = table_days(tables, "BTCUSDT", LAST)
    assert list(found) == list(DAILY_ASSETS)
    assert missing_days(found) == []
    assert {each.newest for each in found.values()} == {LAST}


def test_only_one_old_day_leaves_the_due_day_missing(tables: DeltaTables) -> None:
    """Dagster's freshness policy took a backfill of 2019 for today's data."""
    fill(tables, [OLD])
    assert LAST in table_days(tables, "BTCUSDT", LAST)["raw_klines"].missing


def test_an_old_day_beside_what_is_kept_up_is_no_gap(tables: DeltaTables) -> None:
    fill(tables, list(days(FIRST, LAST + DAY)))
    late = closes_at(LAST)
    for spec, column in ((RAW_KLINES, "ingested_at"), (FORECASTS, "issued_at")):
        put(tables, spec, [OLD], **{column: late})
    put(tables, BASELINE_FORECASTS, [dt.date(2020, 3, 12)], issued_at=late)
    assert missing_days(table_days(tables, "BTCUSDT", LAST)) == []


def test_scores_are_due_from_the_second_day_though_the_run_that_had_to_write_the_first_died(
    tables: DeltaTables,
) -> None:
    for spec, column in ((RAW_KLINES, "ingested_at"), (FORECASTS, "issued_at")):
        for day in (LAST - DAY, LAST):
            put(tables, spec, [day], **{column: closes_at(day)})
    assert table_days(tables, "BTCUSDT", LAST - DAY)["forecast_scores"].missing == []
    assert table_days(tables, "BTCUSDT", LAST)["forecast_scores"].missing == [LAST]


def test_what_a_table_lost_is_missing_in_that_table_alone(tables: DeltaTables) -> None:
    everything = list(days(FIRST, LAST + DAY))
    fill(tables, everything)
    lost = everything[-5:]
    keys = rows_of(RAW_KLINES, [{"date": day} for day in lost]).select(RAW_KLINES.key)
    tables.delete_keys(RAW_KLINES, keys)
    found = table_days(tables, "BTCUSDT", LAST)
    assert found["raw_klines"].missing == lost
    assert found["forecasts"].missing == []


def test_a_day_without_4_hour_candles_is_missing_only_if_its_features_knew_them(tables: DeltaTables) -> None:
    everything = list(days(FIRST, LAST + DAY))
    fill(tables, everything)
    gone = [{"date": day, "open_time": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)} for day in everything[3:5]]
    tables.delete_keys(RAW_KLINES_4H, rows_of(RAW_KLINES_4H, gone).select(RAW_KLINES_4H.key))
    put(tables, ENGINEERED_FEATURES, [everything[3]], **{LOG_REALISED: None})
    assert table_days(tables, "BTCUSDT", LAST)["raw_klines_4h"].missing == [everything[4]]


def test_a_day_that_the_exchange_never_had_excuses_what_is_derived_from_it(tables: DeltaTables) -> None:
    everything = list(days(FIRST, LAST + DAY))
    fill(tables, [day for day in everything if day != everything[7]])
    for spec in (FORECAST_SCORES, CHANCE_SCORES):
        put(tables, spec, [everything[8]])
    found = table_days(tables, "BTCUSDT", LAST)
    assert found["raw_klines"].missing == [everything[7]]
    assert {name: each.missing for name, each in found.items() if name != "raw_klines" and each.missing} == {}


def test_another_pair_in_the_same_tables_is_another_matter(tables: DeltaTables) -> None:
    fill(tables, list(days(FIRST, LAST + DAY)))
    fill(tables, list(days(FIRST, LAST - 3 * DAY)), symbol="ETHUSDT")
    assert missing_days(table_days(tables, "BTCUSDT", LAST)) == []
    assert len(table_days(tables, "ETHUSDT", LAST)["forecasts"].missing) == 4


def test_no_table_at_all_lacks_nothing_and_has_nothing(tables: DeltaTables) -> None:
    found = table_days(tables, "BTCUSDT", LAST)
    assert missing_days(found) == []
    assert {each.newest for each in found.values()} == {None}
