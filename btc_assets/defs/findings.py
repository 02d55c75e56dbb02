"""The health checks of Dagster's assets: which finding each shows, and how."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from btc_assets.health.examine import PAGE, STORES, Examination, examine
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.services import is_up
from btc_assets.vocabulary import DAILY_ASSETS

CHECKS: dict[str, tuple[str, str, str]] = {
    "source": ("raw_klines", "source_answers", "The source of candles answers."),
    "clock": ("raw_klines", "clock_is_right", "Our clock and the source's agree within 5 minutes."),
    "offered_candle": ("raw_klines", "source_is_on_time", "The source offers the due day's candle."),
    "table_logs": ("raw_klines", "no_torn_log", "No entry of any table's log is torn, or was put aside."),
    "disk": ("raw_klines", "disk_has_room", "The data folder can be written and has room."),
    "models": ("mlp_model", "registry_answers", "The registry answers and the newest vintages verify."),
    "sink": ("forecasts", "head_published", "The newest hash is kept outside the store (BTC_LEDGER_SINK)."),
    "ledger": ("forecasts", "not_behind_published", "The store holds every record whose hash was published."),
    "arena": (
        "arena_forecasts",
        "nobody_lacks_a_day",
        "Whoever competes has forecast from every day that is due.",
    ),
    "implied_volatility": (
        "forecasts",
        "implied_volatility_was_there",
        "Where it is switched on, every recent day has its value; which forecasts had it.",
    ),
    "page": ("forecasts", "page_answers", "The web page answers, where `btc up` serves it."),
    **{
        f"days of {asset}": (asset, "is_fresh", "Every day that is due is in the table, since it is kept up.")
        for asset in DAILY_ASSETS
    },
}
"""By finding: asset, check, what it promises. The sensor `health` evaluates them all the time."""


def look(site: Surroundings, deadline: float = 40.0) -> list[Finding]:
    """All findings that Dagster's daemon can have; the page where `btc up` serves it."""
    looks: Sequence[Examination] = (*STORES, PAGE) if is_up(site.settings) else STORES
    return examine(site, looks, deadline)


def evaluations(findings: Iterable[Finding]) -> Iterator[tuple[str, dg.AssetCheckEvaluation]]:
    """Build the evaluation of each check that a finding belongs to, by the finding's name."""
    for each in findings:
        if each.name in CHECKS:
            yield each.name, dg.AssetCheckEvaluation(**as_check(each))


def as_check(finding: Finding) -> dict[str, Any]:
    """Return what the check of a finding says: a late day warns, what is broken is an error."""
    asset, name, _ = CHECKS[finding.name]
    numbers = {"measured": finding.measured, "bound": finding.bound}
    shown = {name: float(value) for name, value in numbers.items() if value is not None}
    late = finding.state is State.LATE
    return {
        "asset_key": dg.AssetKey([asset]),
        "check_name": name,
        "passed": finding.good,
        "metadata": shown | {name: str(value) for name, value in finding.facts.items()},
        "severity": dg.AssetCheckSeverity.WARN if late else dg.AssetCheckSeverity.ERROR,
        "description": finding.detail,
    }


def newest_materializations(instance: dg.DagsterInstance) -> dict[str, int | None]:
    """Return the number of each asset's newest materialization in Dagster's records."""
    keys = {dg.AssetKey([asset]) for asset, _, _ in CHECKS.values()}
    records = instance.get_asset_records(list(keys))
    return {
        record.asset_entry.asset_key.path[-1]: record.asset_entry.last_materialization_storage_id
        for record in records
    }


def stamp(finding: Finding, now: dt.datetime, written: Mapping[str, int | None]) -> str:
    """Return what changes when the check must be evaluated again: with its state, its asset, and once a day.

    Dagster's UI calls a check that is older than its asset's newest materialization not evaluated.
    """
    asset = CHECKS[finding.name][0] if finding.name in CHECKS else ""
    return f"{finding.state} {now:%Y-%m-%d} {written.get(asset)}"
