"""raw_klines and engineered_features through the real job, source and store."""

from __future__ import annotations

import os
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from world import LAST, World

from btc_assets.contracts import RAW_KLINES, SUPERSEDED_KLINES
from btc_assets.launch import RunFailed
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES, LOOKBACK, engineer

MARKET = ["raw_klines", "engineered_features"]


def test_the_whole_history_takes_one_request_a_thousand_candles(empty: World) -> None:
    empty.exchange.list_market(FIRST_DAY, LAST)
    days = (LAST - FIRST_DAY).days + 1
    empty.run("market_history", FIRST_DAY, LAST)
    assert len(empty.exchange.asked()) == -(-days // 1000)
    assert empty.table(RAW_KLINES)["date"].to_list() == [FIRST_DAY + i * DAY for i in range(days)]
    assert empty.table(ENGINEERED_FEATURES).height == days


def test_T8_a_day_run_twice_changes_nothing_not_even_the_version(world: World) -> None:
    before = world.table(RAW_KLINES), world.table(ENGINEERED_FEATURES)
    versions = world.version(RAW_KLINES), world.version(ENGINEERED_FEATURES)
    world.run("market_history", LAST, LAST)
    assert (world.version(RAW_KLINES), world.version(ENGINEERED_FEATURES)) == versions
    assert world.table(RAW_KLINES).equals(before[0])
    assert world.table(ENGINEERED_FEATURES).equals(before[1])


def test_single_days_give_the_rows_that_a_range_gives(world: World) -> None:
    for day in (LAST + DAY, LAST + 2 * DAY):
        world.run("market_history", day, day)
    singly = world.table(ENGINEERED_FEATURES, start=LAST + DAY)
    whole = engineer(world.table(RAW_KLINES)).filter(pl.col("date") > LAST)
    assert singly.equals(whole)


def test_C7_a_day_the_exchange_does_not_have_fails_and_says_when_it_will_be_there(world: World) -> None:
    day = max(world.exchange.rows) + DAY
    with pytest.raises(
        RunFailed, match=rf"no closed BTCUSDT candle for {day} yet.*final at {day + DAY} 00:00 UTC"
    ):
        world.run("market_history", day, day)
    assert world.table(RAW_KLINES)["date"].max() < day  # type: ignore[operator]


def test_days_before_a_missing_one_are_kept(world: World) -> None:
    newest = max(world.exchange.rows)
    with pytest.raises(RunFailed, match="earlier days of the run were kept"):
        world.run("market_history", newest - DAY, newest + DAY)
    assert world.table(RAW_KLINES)["date"].max() == newest


def test_D11_a_restated_candle_is_found_kept_and_rederived(world: World) -> None:
    """The exchange changes a candle of last week after the fact."""
    restated = LAST - 3 * DAY
    old = world.table(RAW_KLINES, start=restated, end=restated + DAY).row(0, named=True)
    world.exchange.restate(
        restated, volume=repr(old["volume"] * 1.5), quote_volume=repr(old["quote_volume"] * 1.5)
    )
    world.run("market_history", LAST + DAY, LAST + DAY)
    now = world.table(RAW_KLINES, start=restated, end=restated + DAY).row(0, named=True)
    assert now["volume"] == pytest.approx(old["volume"] * 1.5)
    kept = world.table(SUPERSEDED_KLINES).row(0, named=True)
    assert (kept["date"], kept["volume"], kept["ingested_at"]) == (
        restated,
        old["volume"],
        old["ingested_at"],
    )
    assert world.metadata("raw_klines", LAST + DAY)["restated candles"] == [restated.isoformat()]
    assert world.table(ENGINEERED_FEATURES).equals(engineer(world.table(RAW_KLINES)))


def test_D10_a_price_that_jumps_is_held_until_a_person_releases_it(world: World) -> None:
    day = LAST + DAY
    price = str(float(world.exchange.rows[day][4]) * 10)
    world.exchange.restate(day, open=price, high=price, low=price, close=price)
    with pytest.raises(RunFailed, match=str(day)):
        world.run("market_history", day, day)
    assert world.table(RAW_KLINES)["date"].max() == LAST
    release = {"ops": {"raw_klines": {"config": {"released_days": [day.isoformat()]}}}}
    world.run("market_history", day, day, ["raw_klines"], config=release)
    assert world.table(RAW_KLINES)["date"].max() == day


def test_D6_a_day_that_never_traded_is_flagged_and_not_invented(empty: World) -> None:
    gap = FIRST_DAY + 20 * DAY
    del empty.exchange.rows[gap]
    empty.run("market_history", FIRST_DAY, FIRST_DAY + 40 * DAY)
    assert gap not in empty.table(RAW_KLINES)["date"].to_list()
    assert empty.metadata("raw_klines", FIRST_DAY)["days without a candle"] == [gap.isoformat()]


def test_T9_old_logs_of_runs_go_and_what_was_materialised_stays(empty: World) -> None:
    from btc_assets.automation.runs import materialised_days
    from btc_assets.automation.sensors import catch_up

    day = FIRST_DAY + 40 * DAY
    empty.run("market_history", FIRST_DAY, day)
    (run,) = empty.instance.get_runs()
    days, said = materialised_days(empty.instance, "raw_klines"), empty.metadata("raw_klines", day)
    log = Path(empty.settings.dagster_home) / "history" / f"{run.run_id}.db"
    catch_up(dg.build_sensor_context(instance=empty.instance))
    assert log.exists()
    long_ago = time.time() - 91 * 86_400
    for path in log.parent.iterdir():
        os.utime(path, (long_ago, long_ago))
    catch_up(dg.build_sensor_context(instance=empty.instance))
    assert not log.exists()
    assert materialised_days(empty.instance, "raw_klines") == days
    assert empty.metadata("raw_klines", day) == said
    assert empty.instance.all_logs(run.run_id) == []
    empty.run("market_history", day + DAY, day + DAY)


def test_features_without_enough_history_are_null_and_counted(empty: World) -> None:
    last = FIRST_DAY + 30 * DAY
    empty.run("market_history", FIRST_DAY, last)
    assert empty.metadata("engineered_features", last)["days with a null (too little history)"] == 31
    assert LOOKBACK > 31
    assert empty.table(ENGINEERED_FEATURES)["volatility_1"].null_count() == 31


def test_real_and_simulated_data_never_share_a_folder(world: World) -> None:
    from btc_assets.settings import load

    simulated = load(None, source="simulated")
    assert world.settings.root != simulated.root
