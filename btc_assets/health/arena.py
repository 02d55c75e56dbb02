"""Examines whether whoever competes has a forecast from every day that is due."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from btc_assets.contracts import ARENA_ATTEMPTS, ARENA_FORECASTS, RAW_KLINES
from btc_assets.forecasters.discovery import chosen
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.missing_days import IN_TIME, TableDays, due_day, kept_up_since
from btc_assets.health.table_days import distinct_rows
from btc_assets.market.calendar import DAY, closes_at, days
from btc_assets.settings import Settings
from btc_assets.storage.tables import TableStore

LOOKBACK = 90
"""Days up to the due one that are looked at: all rows of all would be too many for every two minutes."""


def examine_arena(site: Surroundings) -> list[Finding]:
    """Examine the arena: late if a forecaster that ``BTC_FORECASTERS`` names lacks a day (``arena``)."""
    names = [each.name for each in chosen(site.settings.forecasters)]
    if not names:
        return [Finding("arena", State.OK, "nobody competes: BTC_FORECASTERS is empty", 0, 0)]
    due = due_day(site.now(), dt.timedelta(hours=site.settings.stale_after_hours))
    found = forecaster_days(site.tables, site.settings.symbol, names, due)
    lacking = {each.name: each.missing for each in found if each.missing}
    new = [each.name for each in found if each.begins is None]
    detail = f"{', '.join(names)}: none lacks one of the last {LOOKBACK} days"
    if lacking:
        missing = sorted({day for each in lacking.values() for day in each})
        said = ", ".join(f"{len(each)} of {name}" for name, each in lacking.items())
        detail = (
            f"days missing: {said}; the table arena_attempts says why, and `btc backfill --from {missing[0]} "
            f"--to {missing[-1]} --assets {ARENA_FORECASTS.name},forecast_scores` asks again"
        )
    if new:
        detail += f"; not asked yet in a day's run: {', '.join(new)}"
    count = sum(map(len, lacking.values()))
    return [Finding("arena", State.LATE if lacking else State.OK, detail, count, 0)]


def days_not_asked(tables: TableStore, settings: Settings, due: dt.date) -> set[dt.date]:
    """Return the days from which a forecaster that competes was never asked, of those it is kept up in.

    Raises:
        StorageError: a table cannot be read.
    """
    names = [each.name for each in chosen(settings.forecasters)]
    found = forecaster_days(tables, settings.symbol, names, due, asked=True) if names else []
    return {day for each in found for day in each.missing}


def forecaster_days(
    tables: TableStore, symbol: str, names: Sequence[str], due: dt.date, *, asked: bool = False
) -> list[TableDays]:
    """Find the days of each forecaster of ``names`` among the last ``LOOKBACK``; ``due`` must be there.

    With ``asked`` a day counts as there, too, from which the forecaster was asked in vain.

    A forecaster is kept up from the first day that it was asked from in time. It needs no forecast from a
    day without a candle, nor with too short a history, nor, if it is not asked daily, between its days:
    how many lie between is told by the days it was asked from.

    Raises:
        StorageError: a table cannot be read.
    """
    since = due - (LOOKBACK - 1) * DAY
    window = frozenset(days(since, due + DAY))
    made = distinct_rows(tables, ARENA_FORECASTS, symbol, "model", "issued_at", since=since)
    tried = distinct_rows(tables, ARENA_ATTEMPTS, symbol, "model", "tried_at", "outcome", since=since)
    gaps = window - frozenset(distinct_rows(tables, RAW_KLINES, symbol, since=since)["day"])
    found = []
    for name in names:
        mine, attempts = made.filter(model=name), tried.filter(model=name)
        at = dict(attempts.select("day", "tried_at").iter_rows()) | dict(
            mine.select("day", "issued_at").iter_rows()
        )
        present = frozenset(at if asked else mine["day"])
        punctual = [day for day, then in at.items() if then - closes_at(day) <= IN_TIME]
        begins = kept_up_since(at, punctual) if punctual else None
        early = frozenset(attempts.filter(outcome="too_early")["day"])
        excused = gaps | early | _between(at, window)
        found.append(TableDays(name, present, begins, due, excused))
    return found


def _between(asked: Iterable[dt.date], window: frozenset[dt.date]) -> frozenset[dt.date]:
    """Return the days of ``window`` between those that a forecaster of this cadence is asked from."""
    ordinals = sorted(day.toordinal() for day in asked)
    every = math.gcd(*(later - day for day, later in pairwise(ordinals)))
    if every == 1 or not ordinals:
        return frozenset()
    return frozenset(d for d in window if every == 0 or (d.toordinal() - ordinals[0]) % every)
