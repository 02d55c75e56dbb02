"""What a person is told of: a problem for each bad finding, and none for what merely follows from another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from btc_assets.health.finding import Finding, State
from btc_assets.notifications.notifier import Memory, Problem

SECOND_LOOK = dt.timedelta(seconds=90)
"""How long what may pass by itself (a connection refused once) must last before it is told."""

PASSING = frozenset(
    {"source", "sink", "models", "page", "dagster", "dagster_records", "daemon", "code_location", "days"}
    | {"arena", "implied_volatility"}
)
"""A run of the record's backfill issues forecasts a moment before it scores them: so days pass, too."""

TITLES = {
    "source": "The source of candles does not answer",
    "clock": "This machine's clock is wrong",
    "offered_candle": "The source is late: it does not offer the day's candle",
    "days": "Days are missing",
    "arena": "A forecaster that competes lacks days",
    "implied_volatility": "Implied volatility is missing; forecasts go without",
    "tables": "The tables cannot be read",
    "table_logs": "A table's log was torn",
    "models": "The model registry does not answer, or a vintage is damaged",
    "disk": "The disk is full or cannot be written",
    "sink": "The newest record's hash is not published",
    "ledger": "The ledger is behind its published head",
    "page": "The web page does not answer",
    "dagster": "Dagster's webserver does not answer",
    "daemon": "Dagster's daemon is dead",
    "dagster_records": "Dagster's records are damaged or cannot be written",
    "code_location": "Dagster cannot load the code location",
}

FOLLOWS = {
    "arena": {"days", "source", "offered_candle", "clock", "disk", "daemon", "code_location"},
    "implied_volatility": {"days", "clock", "disk", "daemon", "code_location"},
    "days": {"source", "offered_candle", "clock", "disk", "daemon", "code_location"},
    "daemon": {"dagster"},
    "code_location": {"dagster"},
}
"""What is not told while one of these is: it follows from it."""


def problems(findings: Iterable[Finding], memory: Memory) -> list[Problem]:
    """List a problem for each bad finding; what could not be looked at stays as it was told.

    A store in which nothing was ever issued or loaded has no late days: when to begin is a person's choice.
    """
    found = {finding.name: finding for finding in findings if finding.name in TITLES}
    bad = {name for name, finding in found.items() if not finding.good and not _never_begun(finding)}
    told = [name for name in found if name in bad and not FOLLOWS.get(name, set()) & bad]
    unseen = [name for name in TITLES if name not in told and (name not in found or name in bad)]
    kept = [
        Problem(cause(name), memory.open[cause(name)].title, "It could not be looked at again.")
        for name in unseen
        if cause(name) in memory.open and memory.open[cause(name)].channels
    ]
    return [_problem(found[name]) for name in told] + kept


def cause(name: str) -> str:
    """Return the cause that is the same for every look that finds it."""
    return f"health {name}"


def _problem(finding: Finding) -> Problem:
    after = SECOND_LOOK if finding.name in PASSING else dt.timedelta(0)
    text = f"{finding.detail}.\n`btc doctor` says more; docs/operations.md says what to do."
    title = TITLES["tables" if "unreadable" in finding.facts else finding.name]
    return Problem(cause(finding.name), title, text, after)


def _never_begun(finding: Finding) -> bool:
    return finding.name in ("days", "models") and finding.state is State.BROKEN and "empty" in finding.facts
