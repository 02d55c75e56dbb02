"""Each fault is seen in Dagster's checks, in /metrics and by doctor, and is told once within five minutes."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from exchange import Exchange
from graph_environment import GraphEnvironment
from prometheus_client import CollectorRegistry, generate_latest
from smtp_server import Hook, hook
from table_rows import fill, put, rows_of
from tiny_vintage import write_vintage

from btc_assets.cli import doctor
from btc_assets.cli.health_monitor import Monitor
from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.defs.automation.notification_sensors import health
from btc_assets.defs.resources import Platform
from btc_assets.health.finding import exit_code
from btc_assets.health.problems import TITLES
from btc_assets.io import progress
from btc_assets.ledger.continuity import mark_path, remember
from btc_assets.ledger.publishing.published import line_of
from btc_assets.ledger.records import ISSUE_RECORDS, NOTHING, Head
from btc_assets.market.calendar import DAY, FIRST_DAY, closes_at, days
from btc_assets.settings import Settings, load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.vocabulary import DAILY_ASSETS, NETWORKS

LAST = dt.date(2026, 11, 20)
NOON = closes_at(LAST) + dt.timedelta(hours=12)
TICK = dt.timedelta(minutes=2)


class Standing(Platform):
    """The platform with a clock that a test sets."""

    at: str

    def now(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)


@dataclass
class Ward:
    """A store that is well, its exchange, its sink, and what watches over them."""

    exchange: Exchange
    settings: Settings
    web: Hook
    now: dt.datetime = NOON
    cursor: str | None = None
    checks: dict[str, bool] = field(default_factory=dict)
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def root(self) -> Path:
        return Path(self.settings.root)

    @property
    def tables(self) -> DeltaTables:
        return DeltaTables(self.settings.root)

    def tick(self, later: dt.timedelta = TICK) -> None:
        """The daemon evaluates the sensor; the exchange's clock runs as ours does."""
        self.now += later
        self.exchange.clock += later
        context = dg.build_sensor_context(
            cursor=self.cursor,
            instance=self.instance,
            resources={"platform": Standing(at=self.now.isoformat())},
        )
        result: Any = health(context)
        self.cursor = result.cursor
        for event in result.asset_events:
            self.checks[event.check_name] = event.passed

    def titles(self) -> list[str]:
        return [post["title"] for post in self.web.posts]


@pytest.fixture
def ward(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    monkeypatch.setattr("btc_assets.health.source.SECONDS", 1.0)  # an exchange that is down stays so
    exchange.clock = NOON
    exchange.list_market(LAST - 20 * DAY, LAST + 10 * DAY)
    sink = tmp_path / "heads" / "heads.jsonl"
    environment = {
        "BTC_SOURCE": "binance", "BTC_BINANCE_URL": exchange.url, "BTC_DATA_DIR": str(tmp_path),
        "BTC_CACHE_DIR": str(tmp_path / "cache"), "BTC_LEDGER_SINK": str(sink), "BTC_NOTIFY": "webhook",
        "DAGSTER_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    with hook() as web:
        for name, value in (environment | {"BTC_NOTIFY_WEBHOOK": web.address}).items():
            monkeypatch.setenv(name, value)
        (tmp_path / "home").mkdir()
        settings = load()
        tables = DeltaTables(settings.root)
        fill(tables, list(days(LAST - 20 * DAY, LAST + DAY)))
        record = {"seq": 0, "previous_sha256": NOTHING, "record_sha256": "a" * 64}
        tables.upsert(ISSUE_RECORDS, rows_of(ISSUE_RECORDS, [record]))
        sink.parent.mkdir()
        sink.write_bytes(line_of(Head("BTCUSDT", 0, "a" * 64, NOON)))
        for kind in NETWORKS:
            write_vintage(tmp_path / "made" / kind, kind, LAST - 30 * DAY)
            where = FolderRegistry(settings.root)
            where.publish(kind, VintageId(LAST - 30 * DAY), tmp_path / "made" / kind)
        yield Ward(exchange, settings, web)


def source_down(ward: Ward) -> None:
    ward.exchange.stop()


def source_late(ward: Ward) -> None:
    for day in [day for day in ward.exchange.rows if day >= LAST]:
        del ward.exchange.rows[day]


def clock_wrong(ward: Ward) -> None:
    ward.exchange.clock += dt.timedelta(hours=2)


def newest_entry(ward: Ward) -> Path:
    put(ward.tables, RAW_KLINES, [dt.date(2026, 1, 1)], ingested_at=NOON)
    return max((ward.root / "tables" / "raw_klines" / "_delta_log").glob("*.json"))


def log_emptied(ward: Ward) -> None:
    newest_entry(ward).write_bytes(b"")


def log_halved(ward: Ward) -> None:
    entry = newest_entry(ward)
    entry.write_bytes(entry.read_bytes()[:99])


def log_altered(ward: Ward) -> None:
    entry = newest_entry(ward)
    entry.write_bytes(entry.read_bytes().replace(b'"path":"2026', b'"path":"2025'))


def log_put_aside(ward: Ward) -> None:
    log_emptied(ward)
    put(DeltaTables(ward.settings.root), RAW_KLINES, [dt.date(2026, 1, 2)], ingested_at=NOON)


def disk_full(ward: Ward) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def ledger_behind(ward: Ward) -> None:
    with Path(ward.settings.ledger_sink).open("ab") as sink:
        sink.write(line_of(Head("BTCUSDT", 7, "b" * 64, NOON)))


def mark_ahead(ward: Ward) -> None:
    remember(ward.settings, Head("BTCUSDT", 7, "b" * 64, NOON))


def mark_torn(ward: Ward) -> None:
    mark_ahead(ward)
    mark_path(ward.settings).write_bytes(b"")


def sink_refuses(ward: Ward) -> None:
    Path(ward.settings.ledger_sink).unlink()
    Path(ward.settings.ledger_sink).mkdir()


def days_gone(ward: Ward) -> None:
    keys = rows_of(FORECASTS, [{"origin_date": LAST}]).select(FORECASTS.key)
    ward.tables.delete_keys(FORECASTS, keys)


def registry_gone(ward: Ward) -> None:
    shutil.rmtree(ward.root / "models")


FAULTS: list[tuple[Callable[[Ward], None], str, str]] = [
    (source_down, "source", "source_answers"),
    (source_late, "offered_candle", "source_is_on_time"),
    (clock_wrong, "clock", "clock_is_right"),
    (log_emptied, "table_logs", "no_torn_log"),
    (log_halved, "table_logs", "no_torn_log"),
    (log_altered, "table_logs", "no_torn_log"),
    (log_put_aside, "table_logs", "no_torn_log"),
    (disk_full, "disk", "disk_has_room"),
    (ledger_behind, "ledger", "not_behind_published"),
    (mark_ahead, "ledger", "not_behind_published"),
    (mark_torn, "ledger", "not_behind_published"),
    (sink_refuses, "sink", "head_published"),
    (registry_gone, "models", "registry_answers"),
    (days_gone, "days", "is_fresh"),
]


@pytest.fixture(autouse=True)
def file_size_limits() -> Iterator[None]:
    """Give the disk back whatever a test did."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.faults
@pytest.mark.parametrize(("fault", "name", "check"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_O1_O2_O3_O4_O5_O6_O7_O8_O9_a_fault_is_seen_everywhere_and_told_once_within_five_minutes(
    ward: Ward, fault: Callable[[Ward], None], name: str, check: str
) -> None:
    ward.tick()
    assert ward.titles() == []
    assert all(ward.checks.values()), ward.checks
    fault(ward)
    ward.tick()
    ward.tick()
    assert ward.titles() == [TITLES[name]]
    assert ward.checks[check] is False
    ward.tick()
    assert ward.titles() == [TITLES[name]]
    site: Any = Standing(at=ward.now.isoformat())
    watch = Monitor(site)
    watch.look()
    state = health_state(watch, name)
    assert state in (1, 2)
    found = doctor.findings(ward.settings, site)
    assert [each.name for each in found if not each.good and each.name == name] == [name]
    assert exit_code(found) in (1, state)


def test_a_damaged_table_turns_the_checks_red_and_is_told_as_what_it_is(ward: Ward) -> None:
    ward.tick()
    for file in (ward.root / "tables" / "forecast_scores").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    for _ in range(3):
        ward.tick()
    assert ward.titles() == [TITLES["tables"]]
    assert "forecast_scores" in ward.web.posts[0]["text"]
    assert ward.checks["is_fresh"] is False


def health_state(watch: Monitor, name: str) -> float:
    """What /metrics says of ``name``."""
    registry = CollectorRegistry()
    registry.register(watch.collector)
    (line,) = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith(f'btc_health_state{{check="{name}"}}')
    ]
    return float(line.split()[-1])


def test_O10_a_dead_page_is_seen_everywhere_and_told_where_btc_up_serves_it(ward: Ward) -> None:
    with (Path(ward.settings.dagster_home) / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(3):
            ward.tick()
        site: Any = Standing(at=ward.now.isoformat())
        watch = Monitor(site)
        watch.look()
        assert health_state(watch, "page") == 1
        assert "page" in {each.name for each in doctor.findings(ward.settings, site) if not each.good}
    assert ward.titles() == [TITLES["page"]]
    assert ward.checks["page_answers"] is False


def test_O13_a_healthy_week_tells_nothing(ward: Ward) -> None:
    ward.now = ward.exchange.clock = closes_at(LAST)
    for day in days(LAST, LAST + 7 * DAY):
        ward.now = ward.exchange.clock = closes_at(day)
        ward.tick()  # the day has just closed and is not here yet
        fill(ward.tables, list(days(LAST - 20 * DAY, day + DAY)))
        for hours in (1, 4, 12):
            ward.tick(dt.timedelta(hours=hours))
        assert all(ward.checks.values()), ward.checks
    assert ward.titles() == []
    assert json.loads(ward.cursor or "{}")["told"] == {}


def test_what_follows_from_a_fault_is_not_told_beside_it(ward: Ward) -> None:
    """Days that are missing because the exchange is down are one message, not two."""
    ward.exchange.stop()
    for _ in range(3):
        ward.tick()
    ward.tick(dt.timedelta(days=2))
    assert ward.titles() == [TITLES["source"]]
    assert ward.checks["is_fresh"] is False


def test_one_old_day_that_is_materialised_turns_nothing_green(
    empty: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An asset's freshness policy goes by its newest event: a backfill of 2019 turned it green."""
    from btc_assets.definitions import defs

    monkeypatch.setenv("BTC_NOTIFY", "")
    empty.run("market_history", FIRST_DAY, FIRST_DAY)
    platform = {"platform": Platform()}
    result: Any = health(dg.build_sensor_context(instance=empty.instance, resources=platform))
    fresh = {
        e.asset_key.to_user_string(): e.passed for e in result.asset_events if e.check_name == "is_fresh"
    }
    needed = [asset for asset in DAILY_ASSETS if asset != "raw_implied_volatility"]  # which is off
    assert fresh == dict.fromkeys(needed, False) | {"raw_implied_volatility": True}
    graph = defs.resolve_asset_graph()
    assert not [key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy]


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process reports is a step of a start."""
    monkeypatch.setattr(progress, "_plan", progress.Plan({"loading history": 1.0, "issuing": 1.0}))


def test_days_that_are_missing_are_told_though_a_run_that_failed_left_its_progress(ward: Ward) -> None:
    progress.report(str(ward.root), "loading candles", 0.2)
    for later in (3 * DAY, TICK, TICK):
        ward.tick(later)
    assert ward.titles() == [TITLES["days"]]


@pytest.mark.usefixtures("starting")
def test_days_that_a_start_is_loading_are_no_event(ward: Ward) -> None:
    progress.report(str(ward.root), "loading history", 0.2)
    for later in (3 * DAY, TICK, TICK):
        ward.tick(later)
    assert ward.titles() == []
    assert not ward.checks["is_fresh"]
    progress.done(str(ward.root))
    for _ in range(3):
        ward.tick()
    assert ward.titles() == [TITLES["days"]]


def test_a_check_is_evaluated_again_once_its_asset_is_materialised(
    empty: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's UI calls a check that is older than the newest materialisation not evaluated."""
    monkeypatch.setenv("BTC_NOTIFY", "")
    cursor, fresh = None, []
    for runs in (1, 0, 1):
        for _ in range(runs):
            empty.run("market_history", FIRST_DAY, FIRST_DAY)
        context = dg.build_sensor_context(
            cursor=cursor, instance=empty.instance, resources={"platform": Platform()}
        )
        result: Any = health(context)
        cursor = result.cursor
        seen = [each for each in result.asset_events if each.check_name == "is_fresh"]
        fresh.append({each.asset_key.path[-1] for each in seen})
    assert fresh[1] == set()
    assert "raw_klines" in fresh[2]
    assert "forecasts" not in fresh[2]
