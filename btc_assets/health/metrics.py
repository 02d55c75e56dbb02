"""What Prometheus is shown of data, forecasts, ledger, runs and source; no label grows without bound."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.errors import StorageError
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.missing_days import TableDays
from btc_assets.health.problems import TITLES
from btc_assets.market.ban_memory import BanMemory
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.settings import Settings
from btc_assets.storage.tables import read_pair
from btc_assets.vocabulary import MODELS

RECENT = 90
"""Forecasts and targets, the newest, that scores and punctuality are of."""

COVERAGES = (50, 80, 90, 95)
STATES = {State.OK: 0, State.WARNING: 0, State.BROKEN: 1, State.LATE: 2}


@dataclass
class Snapshot:
    """What was found at the last look; a scrape shows it and looks at nothing itself."""

    at: dt.datetime
    findings: list[Finding] = field(default_factory=list)
    tables: Mapping[str, TableDays] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    """Single numbers by metric name."""
    coverage: dict[tuple[str, str], float] = field(default_factory=dict)
    """Share inside, by model and interval (50, 80, 90, 95)."""
    score: dict[str, float] = field(default_factory=dict)
    """Loss over the random walk's, by model."""
    runs: dict[tuple[str, str], float] = field(default_factory=dict)
    """Runs of the last day, by job and status."""
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds that the newest finished run took, by job."""


@dataclass(eq=False)
class HealthCollector(Collector):
    """Shows the newest ``snapshot``; ``source_errors`` counts what the source answered, by class of error."""

    snapshot: Snapshot
    source_errors: dict[str, int] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        s = self.snapshot
        yield GaugeMetricFamily(
            "btc_looked_at_seconds", "When this was looked at (Unix time).", value=s.at.timestamp()
        )
        yield from self._tables(s)
        yield _labelled(
            "btc_health_state", "0 well, 1 broken, 2 late.", ["check"],
            {(f.name,): STATES[f.state] for f in s.findings if f.name in TITLES},
        )  # fmt: skip
        yield _labelled(
            "btc_coverage_ratio", f"Share of the last {RECENT} closes inside, one day ahead.",
            ["model", "interval"], s.coverage,
        )  # fmt: skip
        yield _labelled(
            "btc_score_ratio", f"Loss of the last {RECENT} forecasts over the random walk's.", ["model"],
            {(model,): value for model, value in s.score.items()},
        )  # fmt: skip
        yield _labelled("btc_runs_recent", "Runs that ended within a day.", ["job", "status"], s.runs)
        yield _labelled(
            "btc_run_duration_seconds", "Of the newest finished run.", ["job"],
            {(job,): seconds for job, seconds in s.durations.items()},
        )  # fmt: skip
        for name, text in VALUES.items():
            if name in s.values:
                yield GaugeMetricFamily(name, text, value=s.values[name])
        errors = CounterMetricFamily("btc_source_errors", "Failed probes of the source.", labels=["error"])
        for name, count in self.source_errors.items():
            errors.add_metric([name], count)
        yield errors

    def _tables(self, s: Snapshot) -> Iterator[Metric]:
        now = dt.datetime.now(dt.UTC)
        yield _labelled(
            "btc_table_age_seconds", "Since the close of the newest day (partition) in the table.", ["table"],
            {(k,): (now - closes_at(t.newest)).total_seconds() for k, t in s.tables.items() if t.newest},
        )  # fmt: skip
        yield _labelled(
            "btc_table_missing_partitions", "Days that are due, are kept up, and are not there.", ["table"],
            {(name,): len(t.missing) for name, t in s.tables.items()},
        )  # fmt: skip


VALUES = {
    "btc_forecasts_live_in_time": f"Of the last {RECENT} origins, issued before the first target closed.",
    "btc_ledger_head_seq": "The newest record of the ledger.",
    "btc_ledger_published_lag_records": "Records that the newest published one is behind.",
    "btc_source_ban_seconds": "How long the exchange still bans this address, 0: not at all.",
    "btc_disk_free_bytes": "Room beside the tables.",
}


def read_scores(site: Surroundings, snapshot: Snapshot) -> None:
    """Add to ``snapshot`` how the newest forecasts did and how many were issued in time.

    Raises:
        StorageError: a table cannot be read.
    """
    since = snapshot.at.date() - 2 * RECENT * DAY
    scores = read_pair(site.tables, FORECAST_SCORES, site.settings.symbol, start=since)
    for model in MODELS:
        recent = scores.filter((pl.col("model") == model) & (pl.col("horizon") == 1)).tail(RECENT)
        if recent.height:
            for percent in COVERAGES:
                share = recent[f"inside_{percent}"].to_numpy().mean()
                snapshot.coverage[model, str(percent)] = float(share)
            losses = [float(recent[name].to_numpy().sum()) for name in ("pinball", "pinball_random_walk")]
            snapshot.score[model] = losses[0] / losses[1]
    origins = scores.filter(pl.col("horizon") == 1).group_by("origin_date").agg(pl.col("live").any())
    newest = origins.sort("origin_date").tail(RECENT)
    snapshot.values["btc_forecasts_live_in_time"] = float(newest["live"].to_numpy().sum())


def take_numbers(snapshot: Snapshot) -> None:
    """Move the numbers that findings hold into single metrics."""
    for finding in snapshot.findings:
        if finding.name == "disk" and finding.measured is not None:
            snapshot.values["btc_disk_free_bytes"] = finding.measured
        if finding.name == "sink" and finding.measured is not None:
            snapshot.values["btc_ledger_published_lag_records"] = finding.measured
        if finding.name == "ledger" and "head" in finding.facts:
            snapshot.values["btc_ledger_head_seq"] = float(finding.facts["head"])


def _labelled(name: str, text: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for given, value in values.items():
        family.add_metric(list(given), value)
    return family


def with_scores(site: Surroundings, snapshot: Snapshot) -> Snapshot:
    """Return ``snapshot`` with scores as far as they can be read; what cannot is a finding already."""
    take_numbers(snapshot)
    snapshot.values["btc_source_ban_seconds"] = ban_seconds(site.settings)
    try:
        read_scores(site, snapshot)
    except (StorageError, OSError):
        snapshot.coverage.clear()
    return snapshot


def ban_seconds(settings: Settings) -> float:
    """Return for how long the exchange still refuses this address, 0 where it does not."""
    ban = BanMemory(settings.cache_dir / "binance-hold.json").current()
    return max(ban.until - time.time(), 0.0) if ban else 0.0


def count_errors(errors: dict[str, int], findings: Iterable[Finding]) -> None:
    """Count a failed look at the source by its class of error."""
    for finding in findings:
        if finding.name == "source" and not finding.good:
            name = str(finding.facts.get("error", "Timeout"))
            errors[name] = errors.get(name, 0) + 1
