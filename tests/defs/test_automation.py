"""The schedule and the sensor: everything missing is asked for once, and nothing that is under way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pytest
import time_machine

from btc_assets.defs.automation.catch_up_sensor import LONGEST_WAIT, catch_up, next_attempt
from btc_assets.defs.automation.schedules import daily_at_0005_utc
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import days_under_way, missing_days, run_tags, windows
from btc_assets.market.calendar import DAY, last_closed_day

ASSETS = (
    "raw_klines",
    "engineered_features",
    "mlp_model",
    "lstm_model",
    "baseline_forecasts",
    "forecasts",
    "forecast_scores",
)
YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20))


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def stored() -> Iterator[dg.DagsterInstance]:
    """Schedules open their instance themselves, so it must be on disk."""
    with dg.instance_for_test() as instance:
        yield instance


def materialise(instance: dg.DagsterInstance, days: list[dt.date], assets: tuple[str, ...] = ASSETS) -> None:
    for asset in assets:
        for day in days:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(asset_key=asset, partition=day.isoformat())
            )


def tick(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    from btc_assets.definitions import defs

    context = dg.build_sensor_context(instance=instance, definitions=defs)
    result = catch_up(context)
    if isinstance(result, dg.SkipReason):
        return []
    return list(result.run_requests or [])  # type: ignore[union-attr]


def window(request: dg.RunRequest) -> Window:
    start = request.tags.get("dagster/asset_partition_range_start") or request.tags["dagster/partition"]
    end = request.tags.get("dagster/asset_partition_range_end") or start
    return Window(dt.date.fromisoformat(start), dt.date.fromisoformat(end) + DAY)


def past(*ago: int) -> list[dt.date]:
    return [YESTERDAY - n * DAY for n in ago]


def test_C2_a_host_that_was_down_three_days_catches_up_in_one_run(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(4, 3))
    requests = tick(instance)
    assert [window(r) for r in requests] == [Window(YESTERDAY - 2 * DAY, YESTERDAY + DAY)]
    assert {key.to_user_string() for key in requests[0].asset_selection or []} == set(ASSETS)


def test_two_gaps_are_two_runs(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(6, 4, 3, 1))
    assert [window(r) for r in tick(instance)] == windows(past(5, 2, 0))


def test_nothing_missing_asks_for_nothing(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(1, 0))
    assert tick(instance) == []


def test_an_empty_instance_is_a_persons_choice(instance: dg.DagsterInstance) -> None:
    assert tick(instance) == []


def test_only_the_assets_that_lack_the_day_are_asked_for(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(1))
    materialise(instance, past(0), ASSETS[:2])
    (request,) = tick(instance)
    assert {key.to_user_string() for key in request.asset_selection or []} == set(ASSETS[2:])


def launch(instance: dg.DagsterInstance, days: Window, status: dg.DagsterRunStatus) -> None:
    from btc_assets.definitions import defs

    job = defs.resolve_job_def("daily_partition")
    run = instance.create_run_for_job(job, tags=run_tags(days), status=dg.DagsterRunStatus.NOT_STARTED)
    if status == dg.DagsterRunStatus.FAILURE:
        instance.report_run_failed(run)


def test_C1_a_day_that_is_under_way_is_not_asked_for_again(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(2))
    launch(instance, Window(YESTERDAY - DAY, YESTERDAY + DAY), dg.DagsterRunStatus.NOT_STARTED)
    assert days_under_way(instance) == set(past(1, 0))
    assert tick(instance) == []


def test_a_failed_window_waits_before_the_next_attempt(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(1))
    launch(instance, Window(YESTERDAY, YESTERDAY + DAY), dg.DagsterRunStatus.FAILURE)
    assert tick(instance) == []
    records = instance.get_run_records()
    soon, later = next_attempt(records[:1]), next_attempt(records[:1] * 9)
    assert later - soon > dt.timedelta(hours=1)
    assert later - records[0].update_timestamp.astimezone(dt.UTC) == LONGEST_WAIT


def test_C2_a_window_that_failed_for_weeks_is_still_tried(instance: dg.DagsterInstance) -> None:
    """Dagster launches a run key once, so each attempt needs one of its own, however many there were."""
    materialise(instance, past(1))
    keys = []
    # From the small hours on, whatever time it is: six hours later it must still be the same day.
    at = dt.datetime.combine(YESTERDAY + DAY, dt.time(1), dt.UTC)
    for failures in (52, 1):
        with time_machine.travel(at, tick=True):
            for _ in range(failures):
                launch(instance, Window(YESTERDAY, YESTERDAY + DAY), dg.DagsterRunStatus.FAILURE)
        at += LONGEST_WAIT + dt.timedelta(minutes=1)
        with time_machine.travel(at, tick=True):
            requests = tick(instance)
        keys += [request.run_key for request in requests if window(request).start == YESTERDAY]
    assert len(set(keys)) == 2


def test_missing_days_begin_at_the_first_materialised_one(instance: dg.DagsterInstance) -> None:
    materialise(instance, past(5, 3), ("forecasts",))
    assert missing_days(instance, ("forecasts", "raw_klines"), YESTERDAY) == {
        "forecasts": set(past(4, 2, 1, 0)),
        "raw_klines": set(),
    }


def evaluate(stored: dg.DagsterInstance, at: dt.datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(instance=stored, scheduled_execution_time=at)
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


def test_the_schedule_leaves_a_day_that_is_there(stored: dg.DagsterInstance) -> None:
    materialise(stored, [YESTERDAY])
    at = dt.datetime.combine(YESTERDAY + DAY, dt.time(0, 5), dt.UTC)
    assert isinstance(evaluate(stored, at), dg.SkipReason)
