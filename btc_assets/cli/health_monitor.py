"""What `btc monitor` does: look at everything each minute, tell what Dagster cannot, serve /metrics."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from btc_assets.errors import BtcError
from btc_assets.health import examine as looks
from btc_assets.health.context import HealthContext
from btc_assets.health.dagster_runs import read_runs
from btc_assets.health.finding import Surroundings
from btc_assets.health.metrics import HealthCollector, Snapshot, count_errors, with_scores
from btc_assets.health.missing_days import due_day
from btc_assets.health.problems import problems
from btc_assets.health.services import is_up
from btc_assets.health.table_days import table_days
from btc_assets.io.files import write_atomically
from btc_assets.notifications.notifier import Memory, Notifier
from btc_assets.settings import Settings

if TYPE_CHECKING:
    from btc_assets.health.finding import Finding

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two looks."""

OURS = frozenset({"daemon", "dagster", "dagster_records", "code_location"})
"""What the sensor `health` cannot tell, for it is not run then."""


@dataclass
class Monitor:
    """What is known at the last look, and who was told."""

    site: Surroundings
    collector: HealthCollector = field(
        default_factory=lambda: HealthCollector(Snapshot(dt.datetime.now(dt.UTC)))
    )

    @property
    def memory_file(self) -> Path:
        """Where it is kept who was told, so that a restart tells nothing twice."""
        return Path(self.site.settings.dagster_home).parent / "monitor.json"

    def look(self) -> list[Finding]:
        """Look at everything once; tell what is new, and show it to the next scrape."""
        site, now = self.site, self.site.now()
        up = is_up(site.settings)
        found = looks.examine(site, (*looks.STORES, *(looks.SERVICES if up else ())))
        snapshot = Snapshot(now, found)
        try:
            due = due_day(now, dt.timedelta(hours=site.settings.stale_after_hours))
            snapshot.tables = table_days(site.tables, site.settings.symbol, due)
            if up:
                read_runs(site.settings, snapshot)
        except (BtcError, OSError):
            pass  # a finding says so
        count_errors(self.collector.source_errors, found)
        self.collector.snapshot = with_scores(site, snapshot)
        self.notify([finding for finding in found if finding.name in OURS], now)
        return found

    def notify(self, found: list[Finding], now: dt.datetime) -> None:
        """Tell each problem of ``found`` once, and when it is over."""
        memory = Memory.from_json(_read(self.memory_file))
        Notifier.of(self.site.settings).notify(problems(found, memory), memory, now)
        self.memory_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.memory_file, json.dumps(memory.as_json()).encode())


def run(settings: Settings) -> None:
    """Monitor until interrupted."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.process_collector import ProcessCollector

    watch = Monitor(HealthContext(settings))
    if settings.metrics_port:
        registry = CollectorRegistry()
        registry.register(watch.collector)
        ProcessCollector(registry=registry)
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    while True:
        try:
            watch.look()
        except Exception:  # a look that fails must not end all looks
            log.exception("the look failed; the next is in a minute")
        time.sleep(EVERY)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
