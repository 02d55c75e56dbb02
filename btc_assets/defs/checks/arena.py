"""Checks of the forecasters that compete."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import ARENA_ATTEMPTS, ARENA_FORECASTS, TableSpec
from btc_assets.defs.checks.ledger import NEWEST, verifies_whole_chain
from btc_assets.defs.checks.results import (
    CONTRACT,
    Context,
    Results,
    contract_violations,
    multi_check,
    result,
)
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import window_of_run
from btc_assets.forecasters.discovery import chosen
from btc_assets.ledger.arena_records import ARENA_RECORDS, published_name
from btc_assets.ledger.continuity import known_heads, lost
from btc_assets.ledger.possible import impossible
from btc_assets.ledger.verification.arena_checks import check_arena
from btc_assets.ledger.verification.report import Fault

ARENA = ARENA_FORECASTS.name


@multi_check(
    "arena_forecasts_checks",
    ARENA,
    {
        CONTRACT: "Columns, types and keys are those of the contract, prices can be.",
        "every_forecaster_answered": "Whoever competes forecast from the days of the run.",
        "is_what_was_issued": "Forecasts and the candles they came from hash to what the arena's chain says, "
        "and no record that was seen is gone. Daily for the newest 30 records; on Sundays and after a range "
        "for all.",
    },
)
def arena_forecasts_checks(context: Context, platform: Platform) -> Results:
    """Check the rows of the run's days, and say who did not answer, and why."""
    window = window_of_run(context.run)
    rows, tried = (_rows(platform, table, window) for table in (ARENA_FORECASTS, ARENA_ATTEMPTS))
    wrong = contract_violations(ARENA_FORECASTS, rows)
    wrong += [f"{r['model']} {r['origin_date']} +{r['horizon']}" for r in impossible(rows).to_dicts()]
    yield result(ARENA, CONTRACT, wrong, checked=rows.height)
    now = {each.name for each in chosen(platform.settings.forecasters)}
    failed = tried.filter((pl.col("outcome") != "ok") & pl.col("model").is_in(list(now)))
    said = [f"{r['model']} {r['origin_date']}: {r['outcome']}, {r['reason']}" for r in failed.to_dicts()]
    yield result(ARENA, "every_forecaster_answered", said, warn=True, checked=tried.height)
    wrong, hashed, problems = unlike_issued(platform, window)
    yield result(ARENA, "is_what_was_issued", wrong, checked=hashed, metadata={"notes": problems})


def unlike_issued(platform: Platform, window: Window | None) -> tuple[list[str], int, list[str]]:
    """Return what is not as the arena's chain says, how many rows were hashed, and what was not compared."""
    tables, symbol = platform.tables, platform.settings.symbol
    newest = None if verifies_whole_chain(window) else NEWEST
    found = list(check_arena(tables, symbol, newest=newest))
    wrong = [str(fault) for fault in found if isinstance(fault, Fault)]
    heads, problems = known_heads(platform.settings, tables, published_name(symbol))
    gone = lost(tables, symbol, heads, ARENA_RECORDS)
    hashed = sum(count for count in found if isinstance(count, int))
    return [*wrong, *([gone] if gone else [])], hashed, problems


def _rows(platform: Platform, table: TableSpec, window: Window | None) -> pl.DataFrame:
    """Read the rows of the days in ``window``, or all; none where nobody ever competed."""
    if not platform.tables.exists(table):
        return table.empty()
    start, end = (window.start, window.end) if window else (None, None)
    return platform.tables.read(table, start=start, end=end)
