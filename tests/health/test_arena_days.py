"""Days that a forecaster lacks are missing, and a feed that is late is named, where they are switched on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from table_rows import put

from btc_assets.contracts import (
    ARENA_ATTEMPTS,
    ARENA_FORECASTS,
    FORECASTS,
    RAW_IMPLIED_VOLATILITY,
    RAW_KLINES,
    SUPERSEDED_IMPLIED_VOLATILITY,
)
from btc_assets.health.arena import examine_arena, forecaster_days
from btc_assets.health.finding import State
from btc_assets.health.implied_volatility import examine_implied_volatility
from btc_assets.market.calendar import DAY, closes_at, days
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.store import DeltaTables

FIRST, LAST = dt.date(2026, 11, 1), dt.date(2026, 11, 24)
ALL = list(days(FIRST, LAST + DAY))
SOON = dt.timedelta(minutes=5)


@dataclass
class Context:
    """What is examined."""

    settings: Settings
    tables: DeltaTables
    registry: Any = None

    def now(self) -> dt.datetime:
        """Half a day after the last day closed."""
        return closes_at(LAST) + dt.timedelta(hours=12)


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    made = DeltaTables(str(tmp_path))
    put(made, RAW_KLINES, ALL)
    return made


def forecast_from(tables: DeltaTables, name: str, wanted: list[dt.date], late: dt.timedelta = SOON) -> None:
    """Forecasts of ``name`` from the days ``wanted``, as a run leaves them."""
    for day in wanted:
        at = closes_at(day) + late
        put(tables, ARENA_FORECASTS, [day], model=name, issued_at=at)
        put(tables, ARENA_ATTEMPTS, [day], model=name, outcome="ok", tried_at=at)


def missing(tables: DeltaTables, name: str) -> list[dt.date]:
    (found,) = forecaster_days(tables, "BTCUSDT", [name], LAST)
    return found.missing


def test_a_day_without_a_run_and_one_without_an_answer_are_missing(tables: DeltaTables) -> None:
    crashed, lost = FIRST + 5 * DAY, FIRST + 9 * DAY
    forecast_from(tables, "garch", [day for day in ALL if day not in (crashed, lost)])
    at = closes_at(crashed) + SOON
    put(tables, ARENA_ATTEMPTS, [crashed], model="garch", outcome="crashed", tried_at=at)
    forecast_from(tables, "ewma_t", ALL)
    assert missing(tables, "garch") == [crashed, lost]
    assert missing(tables, "ewma_t") == []
    site = Context(load(forecasters="garch,ewma_t,har_weekdays"), tables)
    (found,) = examine_arena(site)
    assert (found.state, found.measured) == (State.LATE, 2)
    assert "days missing: 2 of garch; " in found.detail
    assert f"--from {crashed} --to {lost}" in found.detail
    assert "not asked yet in a day's run: har_weekdays" in found.detail


def test_where_nobody_competes_nothing_is_missing(tables: DeltaTables) -> None:
    forecast_from(tables, "garch", ALL[:5])
    (found,) = examine_arena(Context(load(), tables))
    assert (found.state, found.detail) == (State.OK, "nobody competes: BTC_FORECASTERS is empty")


def test_a_past_that_was_filled_in_asks_for_nothing_since(tables: DeltaTables) -> None:
    forecast_from(tables, "garch", ALL[:5], late=40 * DAY)
    assert missing(tables, "garch") == []


def test_one_that_is_asked_each_third_day_lacks_only_such_days(tables: DeltaTables) -> None:
    turns = ALL[::3]
    forecast_from(tables, "slow", [*turns[:4], *turns[5:-1]])
    assert missing(tables, "slow") == [turns[4], turns[-1]]


def test_neither_a_day_without_a_candle_nor_a_short_history_is_missing(tables: DeltaTables) -> None:
    early, gone = ALL[0], ALL[7]
    rows = tables.read(RAW_KLINES).filter(date=gone)
    tables.delete_keys(RAW_KLINES, rows.select(RAW_KLINES.key))
    put(tables, ARENA_ATTEMPTS, [early], model="garch", outcome="too_early", tried_at=closes_at(early) + SOON)
    forecast_from(tables, "garch", [day for day in ALL if day not in (early, gone)])
    assert missing(tables, "garch") == []


def implied(tables: DeltaTables, **settings: str) -> tuple[State, str]:
    site = Context(load(source="binance", **{"implied_volatility": "deribit", **settings}), tables)
    (found,) = examine_implied_volatility(site)
    return found.state, found.detail


def test_a_late_feed_is_named_with_the_forecasts_that_went_without(tables: DeltaTables) -> None:
    put(tables, FORECASTS, ALL)
    put(tables, RAW_IMPLIED_VOLATILITY, ALL[:-1])
    tables.ensure_table(SUPERSEDED_IMPLIED_VOLATILITY)
    assert implied(tables) == (
        State.LATE,
        f"no value for {LAST}; forecasts issued without it: {LAST}",
    )
    put(tables, RAW_IMPLIED_VOLATILITY, [LAST], ingested_at=closes_at(LAST) + dt.timedelta(hours=9))
    assert implied(tables) == (
        State.OK,
        f"there to {LAST}; forecasts issued without it: {LAST}",
    )
    assert implied(tables, implied_volatility="off") == (State.OK, "off: BTC_IMPLIED_VOLATILITY")


def test_a_feed_that_was_switched_on_today_lacks_today_alone(tables: DeltaTables) -> None:
    put(tables, FORECASTS, ALL)
    tables.ensure_table(SUPERSEDED_IMPLIED_VOLATILITY)
    assert implied(tables)[1].startswith(f"no value for {LAST}; ")
    put(tables, RAW_IMPLIED_VOLATILITY, [LAST])
    assert implied(tables) == (
        State.OK,
        f"there to {LAST}; forecasts issued without it: 23 days, the last {LAST - DAY}",
    )


def test_a_feed_that_is_on_time_is_well(tables: DeltaTables) -> None:
    put(tables, FORECASTS, ALL)
    put(tables, RAW_IMPLIED_VOLATILITY, ALL, ingested_at=closes_at(FIRST))
    tables.ensure_table(SUPERSEDED_IMPLIED_VOLATILITY)
    assert implied(tables) == (State.OK, f"there to {LAST}; every forecast had it")
