"""raw_klines and engineered_features through the real job, source and store."""

from __future__ import annotations

import os
import time
from pathlib import Path

import dagster as dg
import exchange as faults
import polars as pl
import pytest
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H, SUPERSEDED_KLINES, SUPERSEDED_KLINES_4H
from btc_assets.defs.resources import Platform
from btc_assets.factory import open_tables
from btc_assets.launch import RunFailed
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, opens_at
from btc_assets.modeling.features import ENGINEERED_FEATURES, LOOKBACK, engineer
from btc_assets.modeling.history import LOG_REALISED
from btc_assets.series import BARS, CANDLES

TABLES = (RAW_KLINES, RAW_KLINES_4H, ENGINEERED_FEATURES)


def derived(graph: GraphEnvironment) -> pl.DataFrame:
    """The features that the stored candles give."""
    return engineer({CANDLES.name: graph.table(RAW_KLINES), BARS.name: graph.table(RAW_KLINES_4H)})


def test_the_whole_history_takes_one_request_a_thousand_candles(empty: GraphEnvironment) -> None:
    empty.exchange.list_market(FIRST_DAY, LAST)
    days = (LAST - FIRST_DAY).days + 1
    empty.run("market_history", FIRST_DAY, LAST)
    asked = [request.params["interval"] for request in empty.exchange.asked()]
    assert asked.count("1d") == -(-days // 1000)
    assert asked.count("4h") == -(-days // (1000 // 6))
    assert empty.table(RAW_KLINES)["date"].to_list() == [FIRST_DAY + i * DAY for i in range(days)]
    assert empty.table(RAW_KLINES_4H).height == 6 * days
    features = empty.table(ENGINEERED_FEATURES)
    assert features.height == days
    assert features[LOG_REALISED].null_count() == 0


def test_T8_a_day_run_twice_changes_nothing_not_even_the_version(graph: GraphEnvironment) -> None:
    def state() -> list[tuple[int, str]]:
        return [(graph.version(spec), graph.table(spec).write_json()) for spec in TABLES]

    before = state()
    graph.run("market_history", LAST, LAST)
    assert state() == before


def test_single_days_give_the_rows_that_a_range_gives(graph: GraphEnvironment) -> None:
    for day in (LAST + DAY, LAST + 2 * DAY):
        graph.run("market_history", day, day)
    singly = graph.table(ENGINEERED_FEATURES, start=LAST + DAY)
    whole = derived(graph).filter(pl.col("date") > LAST)
    assert singly.equals(whole)


def test_C7_a_day_the_exchange_does_not_have_fails_and_says_when_it_will_be_there(
    graph: GraphEnvironment,
) -> None:
    day = max(graph.exchange.rows) + DAY
    with pytest.raises(
        RunFailed, match=rf"no closed BTCUSDT candle for {day} yet.*final at {day + DAY} 00:00 UTC"
    ):
        graph.run("market_history", day, day)
    assert graph.table(RAW_KLINES)["date"].max() < day  # type: ignore[operator]


def test_days_before_a_missing_one_are_kept(graph: GraphEnvironment) -> None:
    newest = max(graph.exchange.rows)
    with pytest.raises(RunFailed, match="earlier days of the run were kept"):
        graph.run("market_history", newest - DAY, newest + DAY)
    assert graph.table(RAW_KLINES)["date"].max() == newest


def test_D11_a_restated_candle_is_found_kept_and_rederived(graph: GraphEnvironment) -> None:
    """The exchange changes a candle of last week after the fact."""
    restated = LAST - 3 * DAY
    old = graph.table(RAW_KLINES, start=restated, end=restated + DAY).row(0, named=True)
    graph.exchange.restate(
        restated, volume=repr(old["volume"] * 1.5), quote_volume=repr(old["quote_volume"] * 1.5)
    )
    graph.run("market_history", LAST + DAY, LAST + DAY)
    now = graph.table(RAW_KLINES, start=restated, end=restated + DAY).row(0, named=True)
    assert now["volume"] == pytest.approx(old["volume"] * 1.5)
    kept = graph.table(SUPERSEDED_KLINES).row(0, named=True)
    assert (kept["date"], kept["volume"], kept["ingested_at"]) == (
        restated,
        old["volume"],
        old["ingested_at"],
    )
    assert graph.metadata("raw_klines", LAST + DAY)["restated candles"] == [restated.isoformat()]
    assert graph.table(ENGINEERED_FEATURES).equals(derived(graph))


def test_D11_a_restated_4_hour_candle_is_found_kept_and_rederived(graph: GraphEnvironment) -> None:
    day = LAST - 3 * DAY
    opens = opens_at(day) + FOUR_HOURS.step
    before = graph.table(ENGINEERED_FEATURES, start=day, end=day + DAY)[LOG_REALISED].item()
    old = graph.table(RAW_KLINES_4H, start=day, end=day + DAY).row(1, named=True)
    graph.exchange.restate_bar(opens, high=repr(old["high"] * 1.02))
    graph.run("market_history", LAST + DAY, LAST + DAY)
    assert (
        graph.table(RAW_KLINES_4H, start=day, end=day + DAY).row(1, named=True)["high"] == old["high"] * 1.02
    )
    kept = graph.table(SUPERSEDED_KLINES_4H).row(0, named=True)
    assert (kept["open_time"], kept["high"]) == (opens, old["high"])
    assert graph.metadata("raw_klines_4h", LAST + DAY)["restated candles"] == [opens.isoformat()]
    assert graph.table(ENGINEERED_FEATURES, start=day, end=day + DAY)[LOG_REALISED].item() > before
    assert graph.table(ENGINEERED_FEATURES).equals(derived(graph))


def test_D6_a_day_without_4_hour_candles_is_counted_and_its_features_say_so(graph: GraphEnvironment) -> None:
    day = LAST + DAY
    for opens in [opens for opens in graph.exchange.bars if opens.date() == day]:
        del graph.exchange.bars[opens]
    graph.run("market_history", day, day)
    assert graph.metadata("raw_klines_4h", day)["days without 4-hour candles"] == 1
    assert graph.metadata("raw_klines_4h", day)["the last of them"] == [day.isoformat()]
    assert graph.metadata("engineered_features", day)["days without 4-hour candles"] == 1
    features = graph.table(ENGINEERED_FEATURES, start=day, end=day + DAY)
    assert features[LOG_REALISED].to_list() == [None]
    assert features["volatility_1"].is_not_null().all()
    assert failed_checks(graph) == {"raw_klines_4h: every_day_has_its_bars"}
    graph.exchange.list_market(day, day)
    graph.run("market_history", day + DAY, day + DAY)
    assert graph.table(ENGINEERED_FEATURES, start=day)[LOG_REALISED].null_count() == 0, (
        "the next run heals it"
    )


def failed_checks(graph: GraphEnvironment) -> set[str]:
    """The checks of the newest run that did not pass."""
    (run,) = graph.instance.get_runs(limit=1)
    events = graph.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [e.dagster_event.event_specific_data for e in events if e.dagster_event]
    return {f"{c.asset_key.to_user_string()}: {c.check_name}" for c in found if not c.passed}  # type: ignore[union-attr]


def test_a_bar_beyond_its_day_s_candle_is_pointed_out(graph: GraphEnvironment) -> None:
    day = LAST + DAY
    opens = opens_at(day)
    graph.exchange.restate_bar(opens, high=repr(float(graph.exchange.rows[day][2]) * 1.5))
    graph.run("market_history", day, day)
    assert failed_checks(graph) == {"raw_klines_4h: within_their_day"}


def test_D8_an_impossible_4_hour_candle_stops_its_day_until_a_person_lets_it_do_without(
    graph: GraphEnvironment,
) -> None:
    day = LAST + DAY
    graph.exchange.restate_bar(opens_at(day), high="1.0")
    with pytest.raises(RunFailed, match=r"high 1\.0 is below open, close or low"):
        graph.run("market_history", day, day)
    assert graph.table(ENGINEERED_FEATURES)["date"].max() == LAST
    without = {"ops": {"raw_klines_4h": {"config": {"days_without": [day.isoformat()]}}}}
    graph.run("market_history", day, day, config=without)
    assert graph.table(ENGINEERED_FEATURES, start=day)[LOG_REALISED].to_list() == [None]
    assert failed_checks(graph) == {"raw_klines_4h: every_day_has_its_bars"}
    graph.run("market_history", day + DAY, day + DAY)
    assert set(graph.table(RAW_KLINES_4H, start=day)["date"]) == {day + DAY}, "the next days are not held up"


def test_S10_a_source_that_fails_for_4_hour_candles_fails_the_day_and_the_next_attempt_heals(
    graph: GraphEnvironment,
) -> None:
    """Going on without would make the forecast depend on when the source was asked."""
    day = LAST + DAY
    graph.exchange.spoil_interval("4h", faults.status(503), times=1000)
    with pytest.raises(RunFailed, match="503"):
        graph.run("market_history", day, day)
    assert graph.table(RAW_KLINES)["date"].max() == day
    assert graph.table(ENGINEERED_FEATURES)["date"].max() == LAST
    graph.exchange.behave()
    graph.run("market_history", day, day)
    assert graph.table(ENGINEERED_FEATURES, start=day)[LOG_REALISED].null_count() == 0


def test_features_that_4_hour_candles_came_too_late_for_are_pointed_out(graph: GraphEnvironment) -> None:
    """Loaded alone, for days before those that every run derives again: they were not there before."""
    day = LAST - 30 * DAY
    tables = open_tables(graph.settings)
    tables.delete_keys(RAW_KLINES_4H, tables.read(RAW_KLINES_4H, RAW_KLINES_4H.key, start=day, end=day + DAY))
    graph.run("market_history", day, day, ["engineered_features"])
    graph.run("market_history", day, day, ["raw_klines_4h"])
    graph.run("market_history", LAST, LAST)
    assert failed_checks(graph) == {"engineered_features: know_their_bars"}
    graph.run("market_history", day, day, ["engineered_features"])
    assert graph.table(ENGINEERED_FEATURES).equals(derived(graph))


def test_M8_what_comes_later_leaves_the_rows_of_a_day_as_they_are(graph: GraphEnvironment) -> None:
    before = [graph.table(spec, end=LAST - 6 * DAY) for spec in TABLES]
    for opens, row in graph.exchange.bars.items():
        if opens.date() > LAST:
            graph.exchange.bars[opens] = [row[0], *(str(float(x) * 3) for x in row[1:5]), *row[5:]]
    graph.run("market_history", LAST + DAY, LAST + DAY)
    for spec, rows in zip(TABLES, before, strict=True):
        assert graph.table(spec, end=LAST - 6 * DAY).equals(rows), spec.name


def test_D10_a_price_that_jumps_is_held_until_a_person_releases_it(graph: GraphEnvironment) -> None:
    day = LAST + DAY
    price = str(float(graph.exchange.rows[day][4]) * 10)
    graph.exchange.restate(day, open=price, high=price, low=price, close=price)
    with pytest.raises(RunFailed, match=str(day)):
        graph.run("market_history", day, day)
    for spec in TABLES:
        assert graph.table(spec)["date"].max() == LAST, f"{spec.name} waits for the person too"
    release = {"ops": {"raw_klines": {"config": {"released_days": [day.isoformat()]}}}}
    graph.run("market_history", day, day, ["raw_klines"], config=release)
    assert graph.table(RAW_KLINES)["date"].max() == day


def test_D6_a_day_that_never_traded_is_flagged_and_not_invented(empty: GraphEnvironment) -> None:
    gap = FIRST_DAY + 20 * DAY
    del empty.exchange.rows[gap]
    empty.run("market_history", FIRST_DAY, FIRST_DAY + 40 * DAY)
    assert gap not in empty.table(RAW_KLINES)["date"].to_list()
    assert empty.metadata("raw_klines", FIRST_DAY + 40 * DAY)["days without a candle"] == [gap.isoformat()]
    rows = {day: empty.metadata("raw_klines", day)["dagster/partition_row_count"] for day in (FIRST_DAY, gap)}
    assert rows == {FIRST_DAY: 1, gap: 0}


def test_each_partition_of_a_range_says_its_own_values_and_the_newest_what_the_run_did(
    empty: GraphEnvironment,
) -> None:
    last = FIRST_DAY + 149 * DAY
    empty.run("market_history", FIRST_DAY, last)
    closes = dict(empty.table(RAW_KLINES).select("date", "close").iter_rows())
    for day in (FIRST_DAY, FIRST_DAY + 70 * DAY, last):
        said = empty.metadata("raw_klines", day)
        assert said["close (USDT)"] == closes[day]
        assert said["dagster/partition_row_count"] == 1
        assert empty.metadata("raw_klines_4h", day)["dagster/partition_row_count"] == 6
        for name in ("rows inserted by the run", "market", "dagster/uri"):
            assert (name in said) == (day == last)
    assert empty.metadata("raw_klines", last)["rows inserted by the run"] == 150
    assert "dagster/column_lineage" in empty.metadata("engineered_features", last)


def test_T9_old_logs_of_runs_go_and_what_was_materialised_stays(empty: GraphEnvironment) -> None:
    from btc_assets.defs.automation.catch_up_sensor import catch_up
    from btc_assets.defs.runs import materialised_days

    day = FIRST_DAY + 40 * DAY
    empty.run("market_history", FIRST_DAY, day)
    (run,) = empty.instance.get_runs()
    days, said = materialised_days(empty.instance, "raw_klines"), empty.metadata("raw_klines", day)
    log = Path(empty.settings.dagster_home) / "history" / f"{run.run_id}.db"
    catch_up(dg.build_sensor_context(instance=empty.instance, resources={"platform": Platform()}))
    assert log.exists()
    long_ago = time.time() - 91 * 86_400
    for path in log.parent.iterdir():
        os.utime(path, (long_ago, long_ago))
    catch_up(dg.build_sensor_context(instance=empty.instance, resources={"platform": Platform()}))
    assert not log.exists()
    assert materialised_days(empty.instance, "raw_klines") == days
    assert empty.metadata("raw_klines", day) == said
    assert empty.instance.all_logs(run.run_id) == []
    empty.run("market_history", day + DAY, day + DAY)


def test_features_without_enough_history_are_null_and_counted(empty: GraphEnvironment) -> None:
    last = FIRST_DAY + 30 * DAY
    empty.run("market_history", FIRST_DAY, last)
    assert empty.metadata("engineered_features", last)["days with a null (too little history)"] == 31
    assert LOOKBACK > 31
    assert empty.table(ENGINEERED_FEATURES)["volatility_1"].null_count() == 31


def test_real_and_simulated_data_never_share_a_folder(graph: GraphEnvironment) -> None:
    from btc_assets.settings import load

    simulated = load(None, source="simulated")
    assert graph.settings.root != simulated.root
