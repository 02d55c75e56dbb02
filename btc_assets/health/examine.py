"""Runs the examinations: each on its own thread and within one deadline, so that none hides another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from btc_assets.errors import BtcError
from btc_assets.health.arena import examine_arena
from btc_assets.health.dagster_records import examine_records
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.implied_volatility import examine_implied_volatility
from btc_assets.health.ledger import examine_ledger
from btc_assets.health.services import examine_dagster, examine_page
from btc_assets.health.source import examine_source
from btc_assets.health.stores import (
    examine_all_models,
    examine_days,
    examine_disk,
    examine_logs,
    examine_models,
    examine_tables,
)
from btc_assets.io.threads import call_all

DEADLINE = 8.0
"""Seconds after which an examination that has not ended is reported as broken."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One look at ``site``; its findings have ``names``, of which the first speaks for all if it fails."""

    names: tuple[str, ...]
    look: Callable[[Surroundings], list[Finding]]


SOURCE = Examination(("source", "clock", "offered_candle"), examine_source)
TABLES = Examination(("tables",), examine_tables)
LOGS = Examination(("table_logs",), examine_logs)
MODELS = Examination(("models",), examine_models)
ALL_MODELS = Examination(("models",), examine_all_models)
DAYS = Examination(("days",), examine_days)
ARENA = Examination(("arena",), examine_arena)
IMPLIED = Examination(("implied_volatility",), examine_implied_volatility)
DISK = Examination(("disk",), examine_disk)
LEDGER = Examination(("sink", "ledger"), examine_ledger)
PAGE = Examination(("page",), examine_page)
RECORDS = Examination(("dagster_records",), examine_records)
DAGSTER = Examination(("dagster", "daemon", "code_location"), examine_dagster)

STORES = (SOURCE, LOGS, MODELS, DAYS, ARENA, IMPLIED, DISK, LEDGER)
"""What can be seen wherever the settings are, cheap enough for every two minutes."""

SERVICES = (PAGE, RECORDS, DAGSTER)
"""What must answer where `btc up` runs."""


def examine(
    site: Surroundings, examinations: Sequence[Examination], deadline: float = DEADLINE
) -> list[Finding]:
    """All findings in the order of ``examinations``, at most ``deadline`` seconds from now."""
    looks = {each: partial(each.look, site) for each in examinations}
    outcomes = call_all(looks, deadline, len(looks))
    found: list[Finding] = []
    for each in examinations:
        outcome = outcomes.get(each, BtcError(f"no answer within {deadline:g} s"))
        found += [_broken(each, outcome)] if isinstance(outcome, BaseException) else outcome
    return found


def _broken(examination: Examination, error: BaseException) -> Finding:
    said = f"the examination itself failed: {type(error).__name__}: {error}"
    if isinstance(error, BtcError):
        said = str(error).splitlines()[0]
    return Finding(examination.names[0], State.BROKEN, said)
