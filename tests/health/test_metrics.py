"""/metrics: what Prometheus is shown, checked by Prometheus's own tool; nothing of it on the public page."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from exchange import Exchange
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from promtool import promtool, values
from table_rows import fill, put

from btc_assets.cli.health_monitor import Monitor
from btc_assets.contracts import FORECAST_SCORES
from btc_assets.health.context import HealthContext
from btc_assets.health.metrics import VALUES
from btc_assets.health.problems import TITLES
from btc_assets.market.calendar import DAY, days, last_closed_day
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.vocabulary import DAILY_ASSETS, MODELS

ROOT = Path(__file__).parents[2]
FILES = ROOT / "deploy" / "monitoring"
YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC))
BOUNDED = {
    "table": set(DAILY_ASSETS),
    "check": set(TITLES),
    "model": set(MODELS),
    "interval": {"50", "80", "90", "95"},
    "job": {"daily_partition", "market_history", "walk_forward", "tuning"},
    "status": {"success", "failure", "canceled"},
}


@pytest.fixture
def monitor(tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    """A monitor over tables that lack the newest two days, beside an exchange that has them."""
    exchange.clock = dt.datetime.now(dt.UTC)
    exchange.list_market(YESTERDAY - 20 * DAY, YESTERDAY + DAY)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = load({}, source="binance", binance_url=exchange.url, data_dir=str(tmp_path), notify="")
    settings = settings.model_copy(update={"cache_dir": tmp_path / "cache"})
    tables, there = DeltaTables(str(tmp_path / "real")), list(days(YESTERDAY - 20 * DAY, YESTERDAY - DAY))
    fill(tables, there)
    put(tables, FORECAST_SCORES, there, model="mlp")
    return Monitor(HealthContext(settings))


def scrape(monitor: Monitor) -> str:
    registry = CollectorRegistry()
    registry.register(monitor.collector)
    return generate_latest(registry).decode()


def test_what_is_shown_is_what_is_there(monitor: Monitor) -> None:
    monitor.look()
    text = scrape(monitor)
    age = values(text, "btc_table_age_seconds")[("raw_klines",)]
    closed = dt.datetime.combine(YESTERDAY - DAY, dt.time(), dt.UTC)
    assert abs(age - (dt.datetime.now(dt.UTC) - closed).total_seconds()) < 60
    missing = values(text, "btc_table_missing_partitions")
    assert missing[("raw_klines",)] in (1, 2)
    assert missing[("raw_klines",)] == missing[("forecasts",)]
    assert values(text, "btc_health_state")[("source",)] == 0
    assert values(text, "btc_health_state")[("days",)] == 2
    assert values(text, "btc_coverage_ratio")[("80", "mlp")] == 1
    assert values(text, "btc_forecasts_live_in_time")[()] == 19


def test_an_exchange_that_fails_is_counted_and_a_state(monitor: Monitor, exchange: Exchange) -> None:
    exchange.stop()
    monitor.look()
    monitor.look()
    text = scrape(monitor)
    assert values(text, "btc_source_errors_total") == {("SourceUnavailable",): 2}
    assert values(text, "btc_health_state")[("source",)] == 1


def test_prometheus_s_own_tool_finds_nothing_to_complain_of(monitor: Monitor) -> None:
    monitor.look()
    promtool("check", "metrics", given=scrape(monitor))


def test_no_label_grows_without_bound(monitor: Monitor) -> None:
    monitor.look()
    for family in text_string_to_metric_families(scrape(monitor)):
        for sample in family.samples:
            for name, value in sample.labels.items():
                assert value in BOUNDED[name], f"{sample.name} {name}={value}"


def test_the_alert_rules_hold_for_a_healthy_day_and_for_faults() -> None:
    promtool("check", "rules", str(FILES / "alerts.yml"))
    promtool("check", "config", str(FILES / "prometheus.yml"))
    promtool("test", "rules", str(FILES / "alerts_test.yml"))


def test_dashboard_and_rules_ask_only_for_what_is_exported() -> None:
    source = "".join((ROOT / path).read_text() for path in
                     ("btc_assets/health/metrics.py", "btc_dash/server/metrics.py"))  # fmt: skip
    exported = set(re.findall(r'"(btc_\w+)"', source)) | set(VALUES)
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += re.findall(r"expr: (.*)", (FILES / "alerts.yml").read_text())
    names = {name for text in asked for name in re.findall(r"\bbtc_[a-z0-9_]+", text)}
    assert names
    plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in names}
    assert plain - {"btc_page"} <= exported
