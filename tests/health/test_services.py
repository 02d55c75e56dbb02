"""What Dagster cannot tell of itself, seen from outside: no daemon, code that does not load."""

from __future__ import annotations

import datetime as dt
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster_webserver import serve_code
from prometheus_client import CollectorRegistry, generate_latest
from smtp_server import hook

from btc_assets.cli import doctor
from btc_assets.cli.health_monitor import OURS, Monitor
from btc_assets.health.context import HealthContext
from btc_assets.health.finding import State, exit_code
from btc_assets.health.problems import TITLES
from btc_assets.health.services import examine_dagster, note_ports
from btc_assets.settings import Settings, load

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a webserver over a code location that does not load, beside no daemon."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "broken_code.py").write_text("raise RuntimeError('the roof is gone')\n")
    with serve_code(folder, "-f", "broken_code.py", DAGSTER_HOME=str(folder)) as address:
        yield int(address.rpartition(":")[2])


def settings(tmp_path: Path, port: int, **more: Any) -> Settings:
    return load({}, source="simulated", data_dir=str(tmp_path), dagster_port=port, **more)


def test_O11_O12_a_dead_daemon_and_code_that_does_not_load_are_seen(broken: int, tmp_path: Path) -> None:
    found = {each.name: each for each in examine_dagster(HealthContext(settings(tmp_path, broken)))}
    assert found["dagster"].good
    assert found["daemon"].state is State.BROKEN
    assert "no heartbeat" in found["daemon"].detail
    assert found["code_location"].state is State.BROKEN
    assert "broken_code.py" in found["code_location"].detail


def test_O11_O12_metrics_and_doctor_say_so_where_btc_up_serves(
    broken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    given = settings(tmp_path, broken, notify="")
    home = Path(given.dagster_home)
    home.mkdir(parents=True)
    with (home / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        watch = Monitor(HealthContext(given))
        watch.look()
        said = doctor.findings(given)
    registry = CollectorRegistry()
    registry.register(watch.collector)
    text = generate_latest(registry).decode()
    for name in ("daemon", "code_location"):
        assert f'btc_health_state{{check="{name}"}} 1.0' in text
        assert name in {each.name for each in said if not each.good}
    assert exit_code(said) == 1


def test_O11_O12_both_are_told_once_by_the_monitor_also_after_it_was_started_again(
    broken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with hook() as web:
        given = settings(tmp_path, broken, notify="webhook", notify_webhook=web.address)
        for minute in (0, 2, 4):
            site = HealthContext(given)
            found = [each for each in examine_dagster(site) if each.name in OURS]
            Monitor(site).notify(found, site.now().replace(second=0) + minute * MINUTE)
    assert sorted(post["title"] for post in web.posts) == sorted([TITLES["daemon"], TITLES["code_location"]])


def test_a_webserver_that_is_gone_is_one_finding(tmp_path: Path) -> None:
    (found,) = examine_dagster(HealthContext(settings(tmp_path, 9)))
    assert (found.name, found.state) == ("dagster", State.BROKEN)


def test_doctor_asks_at_the_ports_that_btc_up_was_given(
    broken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    given = settings(tmp_path, broken)
    home = Path(given.dagster_home)
    home.mkdir(parents=True)
    with (home / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note_ports(given)
        said = {each.name: each for each in doctor.findings(settings(tmp_path, 9))}
    assert said["dagster"].good, said["dagster"].detail
