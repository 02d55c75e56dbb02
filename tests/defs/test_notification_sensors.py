"""The sensors that notify: runs that really fail, messages over real servers."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from exchange import Exchange, status
from graph_environment import LAST, GraphEnvironment, point_settings_at
from hypothesis import given
from hypothesis import strategies as st
from smtp_server import Hook, hook, mailbox

from btc_assets.defs.automation.failed_runs import FailureTracker, subtract
from btc_assets.defs.automation.notification_sensors import failed_runs
from btc_assets.defs.instance import INSTANCE_YAML
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import run_tags
from btc_assets.launch import RunFailed, open_instance
from btc_assets.market.calendar import DAY, FIRST_DAY

NO_RETRIES = INSTANCE_YAML.replace("max_retries: 2", "max_retries: 0")


@dataclass
class Daemon:
    """What Dagster's daemon does with one sensor: evaluate it, keep its cursor as text."""

    graph: GraphEnvironment
    sensor: dg.SensorDefinition
    cursor: str | None = None

    def tick(self) -> str:
        """One evaluation, as a process that was just started would do it; what it says."""
        context = dg.build_sensor_context(
            instance=self.graph.instance, cursor=self.cursor, resources={"platform": Platform()}
        )
        result: Any = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert result.skip_reason is not None
        self.cursor = result.cursor
        return str(result.skip_reason.skip_message)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    with hook() as found:
        monkeypatch.setenv("BTC_NOTIFY", "webhook")
        monkeypatch.setenv("BTC_NOTIFY_WEBHOOK", found.address)
        yield found


@pytest.fixture
def fragile(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Hook
) -> Iterator[GraphEnvironment]:
    """An empty store whose exchange knows 30 days; Dagster does not retry by itself."""
    exchange.rows.clear()
    exchange.list_market(FIRST_DAY, FIRST_DAY + 29 * DAY)
    exchange.clock = dt.datetime.now(dt.UTC)
    settings = point_settings_at(monkeypatch, exchange, tmp_path)
    home = Path(settings.dagster_home)
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(NO_RETRIES)
    with open_instance(settings) as instance:
        yield GraphEnvironment(exchange, settings, instance)


def fail(graph: GraphEnvironment, first: dt.date, last: dt.date) -> None:
    """A run that the exchange refuses (451)."""
    graph.exchange.spoil(status(451, {}))
    with pytest.raises(RunFailed):
        graph.run("market_history", first, last)


def die(graph: GraphEnvironment) -> None:
    """A run whose process is gone."""
    from btc_assets.definitions import defs

    job = defs.resolve_job_def("daily_partition")
    run = graph.instance.create_run_for_job(job, tags=run_tags(Window(LAST, LAST + DAY)))
    graph.instance.report_run_failed(run, "the process that ran it is gone")


def titles(web: Hook) -> list[str]:
    return [f"{post['state']}: {post['title']}" for post in web.posts]


TITLE = "market_history failed at raw_klines (SourceRefused)"


def test_a_failed_run_is_told_once_with_what_where_and_what_to_do(
    fragile: GraphEnvironment, web: Hook
) -> None:
    daemon = Daemon(fragile, failed_runs)
    assert daemon.tick() == "no new failure"
    fail(fragile, FIRST_DAY, FIRST_DAY + 9 * DAY)
    assert daemon.tick() == f"notified webhook: [BTCUSDT] {TITLE}"
    assert [daemon.tick() for _ in range(3)] == ["no new failure"] * 3
    assert titles(web) == [f"problem: {TITLE}"]
    text = web.posts[0]["text"]
    assert "451" in text
    assert f"{FIRST_DAY} to {FIRST_DAY + 9 * DAY}" in text
    assert web.posts[0]["simulated"] is False


def test_the_same_failure_of_other_days_is_the_same_cause_until_all_are_made_good(
    fragile: GraphEnvironment, web: Hook
) -> None:
    daemon = Daemon(fragile, failed_runs)
    for first in (0, 10):
        fail(fragile, FIRST_DAY + first * DAY, FIRST_DAY + (first + 9) * DAY)
        daemon.tick()
    fragile.run("market_history", FIRST_DAY, FIRST_DAY + 14 * DAY)
    daemon.tick()
    assert titles(web) == [f"problem: {TITLE}"]
    fragile.run("market_history", FIRST_DAY + 15 * DAY, FIRST_DAY + 19 * DAY)
    daemon.tick()
    assert titles(web) == [f"problem: {TITLE}", f"over: {TITLE}"]
    assert daemon.tick() == "no new failure"


def test_a_notifier_that_fails_fails_nothing_and_is_tried_again_with_the_next_tick(
    fragile: GraphEnvironment, web: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(fragile, failed_runs)
    fail(fragile, FIRST_DAY, FIRST_DAY + DAY)
    web.status = 503
    for _ in range(2):
        assert daemon.tick() == "NOT delivered: webhook at 127.0.0.1: HTTP 503"
    assert "webhook was not notified" in caplog.text
    assert "canary" not in caplog.text + str(daemon.cursor)
    web.status = 200
    daemon.tick()
    daemon.tick()
    assert titles(web) == [f"problem: {TITLE}"]


def test_mail_and_webhook_both_get_it(
    fragile: GraphEnvironment, web: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mailbox() as box:
        monkeypatch.setenv("BTC_NOTIFY", "mail,webhook,log")
        monkeypatch.setenv("BTC_NOTIFY_SMTP", box.address)
        monkeypatch.setenv("BTC_NOTIFY_FROM", "btc@example.org")
        monkeypatch.setenv("BTC_NOTIFY_TO", "ops@example.org")
        daemon = Daemon(fragile, failed_runs)
        fail(fragile, FIRST_DAY, FIRST_DAY)
        daemon.tick()
    assert [mail["Subject"] for mail in box.mails] == [f"[BTCUSDT] {TITLE}"]
    assert titles(web) == [f"problem: {TITLE}"]


def test_a_run_that_dagster_will_try_again_is_not_told_yet(empty: GraphEnvironment, web: Hook) -> None:
    daemon = Daemon(empty, failed_runs)
    die(empty)
    assert empty.instance.get_runs()[0].tags["dagster/will_retry"] == "true"
    assert daemon.tick() == "no new failure"
    assert web.posts == []


def test_a_process_that_was_killed_is_a_cause_too(fragile: GraphEnvironment, web: Hook) -> None:
    die(fragile)
    Daemon(fragile, failed_runs).tick()
    assert titles(web) == ["problem: daily_partition failed at the run itself (RunFailure)"]
    assert "the process that ran it is gone" in web.posts[0]["text"]


def test_a_cursor_that_is_none_is_an_empty_memory(fragile: GraphEnvironment, web: Hook) -> None:
    fail(fragile, FIRST_DAY, FIRST_DAY)
    for cursor in ("", "null", "[]", "nonsense", '{"runs": {"until": "x"}, "told": 7}'):
        web.posts.clear()
        Daemon(fragile, failed_runs, cursor).tick()
        assert titles(web) == [f"problem: {TITLE}"], cursor


def ticks(graph: GraphEnvironment) -> int:
    """Finished evaluations of `failed_runs` by a real daemon."""
    states = [s for s in graph.instance.all_instigator_state() if s.name == "failed_runs"]
    found = [t for s in states for t in graph.instance.get_ticks(s.instigator_origin_id, s.selector_id)]
    return len([t for t in found if t.status == TickStatus.SKIPPED])


@pytest.mark.faults
def test_dagsters_own_daemon_tells_once_though_it_is_killed_and_started_again(
    fragile: GraphEnvironment, web: Hook
) -> None:
    fail(fragile, FIRST_DAY, FIRST_DAY)
    environment = (
        os.environ | fragile.settings.environment() | {"DAGSTER_HOME": fragile.settings.dagster_home}
    )
    for number in (1, 2):
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-m", "btc_assets.definitions"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 130
            while ticks(fragile) < number and time.monotonic() < deadline:
                time.sleep(0.5)
        finally:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
        assert ticks(fragile) >= number
        told = [title for title in titles(web) if "failed" in title]  # health tells of its own beside it
        assert told == [f"problem: {TITLE}"]


def test_both_sensors_run_from_the_start() -> None:
    from btc_assets.definitions import defs

    sensors = {sensor.name: sensor for sensor in defs.sensors or []}
    for name in ("failed_runs", "health"):
        assert sensors[name].default_status == dg.DefaultSensorStatus.RUNNING


days = st.integers(0, 60).map(lambda n: FIRST_DAY + n * DAY)
spans = st.tuples(days, st.integers(1, 30)).map(lambda t: Window(t[0], t[0] + t[1] * DAY))


@given(spans, spans)
def test_what_is_left_of_a_window_is_every_day_that_is_not_done(window: Window, done: Window) -> None:
    left = [day for part in subtract(window, done) for day in part.days]
    assert left == [day for day in window.days if day not in set(done.days)]


def test_a_record_survives_being_kept(fragile: GraphEnvironment) -> None:
    fail(fragile, FIRST_DAY, FIRST_DAY + 3 * DAY)
    now = dt.datetime.now(dt.UTC)
    record = FailureTracker(now - DAY)
    record.update(fragile.instance)
    assert record.failures
    assert FailureTracker.from_json(json.loads(json.dumps(record.as_json())), now) == replace(record)
