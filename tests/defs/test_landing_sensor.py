"""The sensor on the landing zone, against a real Dagster instance and a real folder."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from candles import candle
from table_rows import put

from btc_assets.contracts import (
    BASELINE_FORECASTS,
    CHANCE_SCORES,
    FORECAST_SCORES,
    FORECASTS,
    NETWORKS,
    RAW_KLINES,
    RAW_KLINES_4H,
    VINTAGES_IN_FORCE,
)
from btc_assets.defs.automation.catch_up_sensor import catch_up
from btc_assets.defs.automation.landing_sensor import (
    HEAD_START,
    LOOKBACK,
    landed_candles,
    newest_available_day,
)
from btc_assets.defs.automation.schedules import daily_at_0005_utc
from btc_assets.defs.resources import Platform
from btc_assets.market.sources.landing import LandingZone
from btc_assets.modeling.features import ENGINEERED_FEATURES

MIDNIGHT = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
D = dt.date(2025, 6, 30)


class Watch:
    """The sensor with its instance, its zone and a clock that the test moves."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, patch: pytest.MonkeyPatch) -> None:
        self.now = MIDNIGHT + dt.timedelta(minutes=6)
        self.instance = instance
        self.zone = LandingZone(str(folder / "zone"))
        self.cursor: str | None = None
        self.platform = Platform(
            overrides={"source": "landing", "landing": str(folder / "zone"), "data_dir": str(folder)}
        )
        patch.setattr(Platform, "now", lambda _: self.now)

    def tick(self, later: float = HEAD_START + 1) -> list[dg.RunRequest]:
        """One evaluation ``later`` seconds after the last."""
        self.now += dt.timedelta(seconds=later)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"platform": self.platform}
        )
        result = landed_candles(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def materialised(self, *days: dt.date) -> None:
        """Every table has the days."""
        tables = self.platform.tables
        for spec in (RAW_KLINES, RAW_KLINES_4H, ENGINEERED_FEATURES, FORECASTS, BASELINE_FORECASTS):
            put(tables, spec, days)
        for spec in (FORECAST_SCORES, CHANCE_SCORES):
            put(tables, spec, [day + DAY for day in days])
        for kind in NETWORKS:
            put(tables, VINTAGES_IN_FORCE, days, model=kind)

    def catch_up(self) -> object:
        return catch_up(
            dg.build_sensor_context(instance=self.instance, resources={"platform": self.platform})
        )

    def start_run(self, day: dt.date) -> None:
        self.instance.create_run_for_job(
            an_empty_job, tags={"dagster/partition": f"{day}"}, status=dg.DagsterRunStatus.STARTED
        )


@dg.job
def an_empty_job() -> None:
    """A run needs a job."""


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(tmp_path, instance, monkeypatch)


def test_a_landed_day_without_a_run_is_launched_once(watch: Watch) -> None:
    landed, _ = watch.zone.put(candle(D))
    assert watch.tick(0) == []
    (request,) = watch.tick()
    assert request.tags["dagster/partition"] == "2025-06-30"
    assert request.run_key.startswith("2025-06-30..2025-06-30:")
    assert landed.sha256 in watch.cursor
    assert watch.tick() == []


def test_the_lambda_has_a_head_start(watch: Watch) -> None:
    watch.zone.put(candle(D))
    assert watch.tick(0) == []
    assert watch.tick(HEAD_START - 1) == []
    watch.start_run(D)
    assert watch.tick(60) == []
    assert watch.tick() == []


def test_C2_days_landed_while_dagster_was_down_are_one_run(watch: Watch) -> None:
    for back in range(3):
        watch.zone.put(candle(D - back * DAY))
    watch.tick(0)
    (request,) = watch.tick()
    assert request.tags["dagster/asset_partition_range_start"] == "2025-06-28"
    assert request.tags["dagster/asset_partition_range_end"] == "2025-06-30"


def test_a_day_that_is_materialised_needs_no_run(watch: Watch) -> None:
    watch.zone.put(candle(D))
    watch.materialised(D)
    assert watch.tick(0) == []
    assert watch.tick() == []
    assert json.loads(watch.cursor)["2025-06-30"]["settled"] is True


def test_D11_a_restated_candle_launches_its_day_again(watch: Watch) -> None:
    watch.zone.put(candle(D, trades=1))
    watch.materialised(D)
    assert watch.tick() == []
    watch.zone.put(candle(D, trades=2))
    watch.tick(0)
    (request,) = watch.tick()
    assert request.tags["dagster/partition"] == "2025-06-30"
    watch.zone.put(candle(D, trades=3))
    watch.tick(0)
    (again,) = watch.tick()
    assert again.run_key != request.run_key


def test_L1_schedule_lambda_and_sensors_together_are_one_run_a_day(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Lambda launched the day; nobody else does, before the run is done or after."""
    monkeypatch.setenv("BTC_SOURCE", "landing")
    monkeypatch.setenv("BTC_LANDING", str(tmp_path / "zone"))
    watch.materialised(D - DAY)
    watch.zone.put(candle(D))
    watch.tick(0)
    watch.start_run(D)
    tick = dg.build_schedule_context(
        instance=watch.instance, scheduled_execution_time=MIDNIGHT, resources={"platform": watch.platform}
    )
    assert isinstance(daily_at_0005_utc(tick), dg.SkipReason)
    assert isinstance(watch.catch_up(), dg.SkipReason)
    assert watch.tick() == []
    watch.materialised(D)
    assert isinstance(watch.catch_up(), dg.SkipReason)
    assert watch.tick() == []


def test_a_day_that_is_not_landed_yet_is_nobody_s_to_launch(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_SOURCE", "landing")
    monkeypatch.setenv("BTC_LANDING", str(tmp_path / "zone"))
    watch.materialised(D - 2 * DAY)
    assert newest_available_day(D) is None
    assert isinstance(watch.catch_up(), dg.SkipReason)
    watch.zone.put(candle(D - 2 * DAY))
    assert newest_available_day(D) == D - 2 * DAY
    assert newest_available_day(D - 5 * DAY) == D - 5 * DAY
    assert isinstance(watch.catch_up(), dg.SkipReason)


def test_what_is_older_than_the_lookback_is_forgotten(watch: Watch) -> None:
    watch.zone.put(candle(D - LOOKBACK - 5 * DAY))
    assert watch.tick(0) == []
    assert watch.tick() == []
    assert watch.cursor == "{}"


@pytest.mark.parametrize("cursor", ["", "no json", "[]", '{"2025-06-30": {"x": 1}}', '{"never": {}}', "null"])
def test_a_cursor_that_is_none_is_begun_anew(watch: Watch, cursor: str) -> None:
    watch.cursor = cursor
    watch.zone.put(candle(D))
    watch.tick(0)
    assert len(watch.tick()) == 1


def test_with_another_source_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        simulated = Platform(overrides={"source": "simulated"})
        context = dg.build_sensor_context(instance=instance, resources={"platform": simulated})
        result = landed_candles(context)
    assert isinstance(result, dg.SkipReason)
    assert "BTC_SOURCE" in result.skip_message
