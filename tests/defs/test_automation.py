"""The schedule and the sensor: everything missing is asked for once, and nothing that is under way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import time_machine
from dagster._core.utils import make_new_run_id
from table_rows import fill, put, rows_of

from btc_assets.contracts import (
    ARENA_ATTEMPTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    RAW_IMPLIED_VOLATILITY,
    RAW_KLINES,
    RAW_KLINES_4H,
    TableSpec,
)
from btc_assets.defs.automation.catch_up_sensor import LONGEST_WAIT, catch_up, next_attempt
from btc_assets.defs.automation.schedules import daily_at_0005_utc
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import days_under_way, run_tags, windows
from btc_assets.market.calendar import DAY, closes_at, last_closed_day
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.vocabulary import ARENA_ASSET, DAILY_ASSETS, FORECAST_ASSETS

YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20))


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def stored() -> Iterator[dg.DagsterInstance]:
    """Schedules open their instance themselves, so it must be on disk."""
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeltaTables:
    """An empty store that the settings name; Dagster's own records know nothing of it."""
    monkeypatch.setenv("BTC_SOURCE", "binance")
    monkeypatch.setenv("BTC_DATA_DIR", str(tmp_path))
    return DeltaTables(str(tmp_path / "real"))


def materialise(instance: dg.DagsterInstance, asset: str, wanted: list[dt.date], **metadata: Any) -> None:
    """Let Dagster believe that ``asset`` has the days ``wanted``."""
    for day in wanted:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset_key=asset, partition=day.isoformat(), metadata=metadata)
        )


def tick(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    from btc_assets.definitions import defs

    context = dg.build_sensor_context(instance=instance, definitions=defs, resources={"platform": Platform()})
    result = catch_up(context)
    if isinstance(result, dg.SkipReason):
        return []
    return list(result.run_requests or [])  # type: ignore[union-attr]


def assets(request: dg.RunRequest) -> set[str]:
    return {key.to_user_string() for key in request.asset_selection or []}


def window(request: dg.RunRequest) -> Window:
    start = request.tags.get("dagster/asset_partition_range_start") or request.tags["dagster/partition"]
    end = request.tags.get("dagster/asset_partition_range_end") or start
    return Window(dt.date.fromisoformat(start), dt.date.fromisoformat(end) + DAY)


def past(*ago: int) -> list[dt.date]:
    return [YESTERDAY - n * DAY for n in ago]


def lose(tables: DeltaTables, wanted: list[dt.date]) -> None:
    """Rows of candles are gone, as after a torn log entry."""
    tables.delete_keys(RAW_KLINES, rows_of(RAW_KLINES, [{"date": d} for d in wanted]).select(RAW_KLINES.key))


def test_C2_a_host_that_was_down_three_days_catches_up_in_one_run(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    fill(tables, past(4, 3))
    (request,) = tick(instance)
    assert window(request) == Window(YESTERDAY - 2 * DAY, YESTERDAY + DAY)
    assert assets(request) == {*DAILY_ASSETS, ARENA_ASSET}


def test_two_gaps_are_two_runs(instance: dg.DagsterInstance, tables: DeltaTables) -> None:
    fill(tables, past(6, 5, 3, 2))
    put(tables, RAW_KLINES, past(4))
    for spec in (FORECAST_SCORES, CHANCE_SCORES):
        put(tables, spec, past(3))
    found = tick(instance)
    assert [window(r) for r in found] == windows(past(4, 1, 0))


def test_nothing_missing_asks_for_nothing(instance: dg.DagsterInstance, tables: DeltaTables) -> None:
    fill(tables, past(1, 0))
    assert tick(instance) == []


def test_an_empty_store_is_a_persons_choice(instance: dg.DagsterInstance) -> None:
    assert tick(instance) == []


def test_only_the_assets_that_lack_the_day_are_asked_for(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    fill(tables, past(2, 1))
    for spec in (RAW_KLINES, RAW_KLINES_4H, RAW_IMPLIED_VOLATILITY, ENGINEERED_FEATURES):
        put(tables, spec, past(0))
    (request,) = tick(instance)
    assert assets(request) == {*FORECAST_ASSETS, ARENA_ASSET}


def test_a_day_from_which_a_forecaster_was_never_asked_is_asked_for_and_no_other(
    instance: dg.DagsterInstance, tables: DeltaTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that crashed said why: asking it again is a person's choice."""
    fill(tables, past(*range(5, -1, -1)))
    never, crashed = past(3)[0], past(1)[0]
    for day in past(5, 4, 2, 1, 0):
        outcome = "crashed" if day == crashed else "ok"
        at = closes_at(day) + dt.timedelta(minutes=6)
        put(tables, ARENA_ATTEMPTS, [day], model="garch", outcome=outcome, tried_at=at)
    assert tick(instance) == [], "nobody competes any more"
    monkeypatch.setenv("BTC_FORECASTERS", "garch")
    (request,) = tick(instance)
    assert window(request) == Window(never, never + DAY)
    assert assets(request) == {ARENA_ASSET, FORECAST_SCORES.name}


def test_one_old_day_run_by_hand_asks_for_nothing_else(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    """It asked for everything since, with a refit every week."""
    fill(tables, past(*range(20, -1, -1)))
    old = YESTERDAY - 90 * DAY
    late = closes_at(YESTERDAY)
    put(tables, RAW_KLINES, [old], ingested_at=late)
    put(tables, FORECASTS, [old], issued_at=late)
    materialise(instance, "forecasts", [old])
    materialise(instance, "baseline_forecasts", [old - 900 * DAY])
    assert tick(instance) == []


@pytest.mark.parametrize("spec", [RAW_KLINES, FORECASTS])
def test_one_old_day_alone_asks_for_nothing(
    instance: dg.DagsterInstance, tables: DeltaTables, spec: TableSpec
) -> None:
    """In a store that was empty, or whose candles alone are kept up: 3,386 days were asked for."""
    old, late = YESTERDAY - 90 * DAY, closes_at(YESTERDAY)
    if spec is FORECASTS:
        for kept in (RAW_KLINES, RAW_KLINES_4H, ENGINEERED_FEATURES):
            put(tables, kept, past(*range(100, -1, -1)))
    put(tables, spec, [old], **{"ingested_at" if spec is RAW_KLINES else "issued_at": late})
    materialise(instance, spec.name, [old])
    assert tick(instance) == []


def test_T4_a_table_that_lost_every_day_written_in_time_gets_them_again(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    everything, late = past(*range(20, -1, -1)), closes_at(YESTERDAY)
    put(tables, RAW_KLINES, everything[:15], ingested_at=late)
    materialise(instance, "raw_klines", everything)
    (request,) = tick(instance)
    assert window(request).days == everything[15:]


def test_T4_what_a_table_lost_is_fetched_again_though_dagster_believes_it_is_there(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    everything = past(*range(20, -1, -1))
    fill(tables, everything)
    for asset in DAILY_ASSETS:
        materialise(instance, asset, everything)
    lose(tables, everything[-6:])
    (request,) = tick(instance)
    assert window(request).days == everything[-6:]
    assert assets(request) == {"raw_klines", "engineered_features"}


def test_T4_a_day_that_was_run_and_is_lost_again_gets_a_run_of_its_own(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    """Dagster launches a run key once: it must change after a run that succeeded, too."""
    fill(tables, past(3, 2, 1))
    (first,) = tick(instance)
    at = closes_at(YESTERDAY) + dt.timedelta(hours=1)
    with time_machine.travel(at, tick=True):
        launch(instance, window(first), dg.DagsterRunStatus.SUCCESS)
    with time_machine.travel(at + dt.timedelta(hours=1), tick=True):
        (second,) = tick(instance)
    assert window(second) == window(first)
    assert second.run_key != first.run_key


def test_a_table_that_is_gone_is_made_again_from_where_it_was_kept_up(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    everything = past(3, 2, 1, 0)
    materialise(instance, "raw_klines", [YESTERDAY - 90 * DAY, *everything])
    assert [window(request).days for request in tick(instance)] == [everything]


def test_D6_a_day_that_the_exchange_never_had_is_not_asked_for_for_ever(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    (gap,) = past(2)
    fill(tables, past(4, 3, 1, 0))
    for spec in (FORECAST_SCORES, CHANCE_SCORES):
        put(tables, spec, past(1))
    (request,) = tick(instance)
    assert window(request).days == [gap]
    materialise(instance, "raw_klines", [gap], **{"days without a candle": [gap.isoformat()]})
    assert not [request for request in tick(instance) if "raw_klines" in assets(request)]


def launch(instance: dg.DagsterInstance, days: Window, status: dg.DagsterRunStatus) -> None:
    status_before = dg.DagsterRunStatus.NOT_STARTED
    run = instance.add_run(
        dg.DagsterRun("daily_partition", make_new_run_id(), tags=run_tags(days), status=status_before)
    )
    if status == dg.DagsterRunStatus.FAILURE:
        instance.report_run_failed(run)
    if status == dg.DagsterRunStatus.SUCCESS:
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
        instance.report_dagster_event(started, run.run_id)


def test_C1_a_day_that_is_under_way_is_not_asked_for_again(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    fill(tables, past(3, 2))
    launch(instance, Window(YESTERDAY - DAY, YESTERDAY + DAY), dg.DagsterRunStatus.NOT_STARTED)
    assert days_under_way(instance) == set(past(1, 0))
    assert tick(instance) == []


def test_a_failed_window_waits_before_the_next_attempt(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    fill(tables, past(2, 1))
    launch(instance, Window(YESTERDAY, YESTERDAY + DAY), dg.DagsterRunStatus.FAILURE)
    assert tick(instance) == []
    records = instance.get_run_records()
    soon, later = next_attempt(records[:1]), next_attempt(records[:1] * 9)
    assert later - soon > dt.timedelta(hours=1)
    assert later - records[0].update_timestamp.astimezone(dt.UTC) == LONGEST_WAIT


def test_C2_a_window_that_failed_for_weeks_is_still_tried(
    instance: dg.DagsterInstance, tables: DeltaTables
) -> None:
    """Dagster launches a run key once, so each attempt needs one of its own, however many there were."""
    fill(tables, past(2, 1))
    keys = []
    # From the small hours on, whatever time it is: seven hours later, twice, it must still be the same day.
    at = dt.datetime.combine(YESTERDAY + DAY, dt.time(1), dt.UTC)
    for failures in (52, 1):
        with time_machine.travel(at, tick=True):
            for _ in range(failures):
                launch(instance, Window(YESTERDAY, YESTERDAY + DAY), dg.DagsterRunStatus.FAILURE)
        at += LONGEST_WAIT + dt.timedelta(hours=1)
        with time_machine.travel(at, tick=True):
            requests = tick(instance)
        keys += [request.run_key for request in requests if window(request).start == YESTERDAY]
    assert len(set(keys)) == 2


def evaluate(stored: dg.DagsterInstance, at: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    resources = {"platform": Platform()}
    context = dg.build_schedule_context(instance=stored, scheduled_execution_time=at, resources=resources)
    return daily_at_0005_utc(context)  # type: ignore[return-value]


def test_L3_the_schedule_means_the_day_before_its_tick_even_when_late(stored: dg.DagsterInstance) -> None:
    request = evaluate(stored, dt.datetime(2024, 3, 1, 0, 5, tzinfo=dt.UTC))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2024-02-29"


def test_L1_the_schedule_leaves_a_day_that_somebody_else_launched(stored: dg.DagsterInstance) -> None:
    """The Lambda or a person was first."""
    at = dt.datetime.combine(YESTERDAY + DAY, dt.time(0, 5), dt.UTC)
    launch(stored, Window(YESTERDAY, YESTERDAY + DAY), dg.DagsterRunStatus.NOT_STARTED)
    assert isinstance(evaluate(stored, at), dg.SkipReason)


def test_the_schedule_leaves_a_day_that_is_there(stored: dg.DagsterInstance, tables: DeltaTables) -> None:
    fill(tables, past(1, 0))
    at = dt.datetime.combine(YESTERDAY + DAY, dt.time(0, 5), dt.UTC)
    assert isinstance(evaluate(stored, at), dg.SkipReason)
