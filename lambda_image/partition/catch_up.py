"""Running a day, and what is missing before it, on a Dagster instance that ends with the call.

What is missing is read from the tables, as everywhere here (`btc_assets.health.table_days`). So a call that
is killed anywhere leaves nothing to tidy up: the next one reads what is there.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import dagster as dg

from btc_assets.cli.catch_up import days_of, load_history
from btc_assets.contracts import CHANCE_SCORES, RAW_KLINES
from btc_assets.defs.partitions import Window
from btc_assets.defs.runs import missing_days, windows
from btc_assets.health.missing_days import TableDays
from btc_assets.launch import RunFailed, run_window
from btc_assets.market.calendar import DAY, days
from btc_assets.market.sources.factory import open_source
from btc_assets.market.sources.protocol import KlineSource
from btc_assets.settings import Settings
from btc_assets.vocabulary import DAILY_JOB, FORECAST_ASSETS, ISSUING_ASSET, MARKET_ASSETS
from lambda_image.partition.report import Reporter

log = logging.getLogger(__name__)

DAYS_A_RUN = 7
"""Days before the event's that one run takes: at most one refit of each network lies in them."""

SECONDS_A_RUN = 330.0
"""No such run is begun with less time than this left: a refit of both networks fits in."""

LAUNCHED_BY = "lambda_partition"


@dataclass
class DayReport:
    """What one call did."""

    run: list[dt.date] = field(default_factory=list)
    """Days that the job was run for, in the order in which it was."""
    left: list[dt.date] = field(default_factory=list)
    """Days that are missing still, oldest first: no time was left, or their run failed."""


@dataclass(frozen=True)
class Store:
    """The tables that the settings name, and an instance of Dagster that ends with the call."""

    settings: Settings
    seconds_left: Callable[[], float]
    instance: dg.DagsterInstance

    def tables(self, day: dt.date) -> dict[str, TableDays]:
        """Read which days every table has; ``day`` must be there."""
        return days_of(self.settings, day)

    def run(self, window: Window) -> None:
        """Run the daily job over ``window``.

        Raises:
            RunFailed: a step failed; what was written before it stays.
        """
        run_window(self.instance, DAILY_JOB, window, launched_by=LAUNCHED_BY)


def catch_up(store: Store, day: dt.date, reports: Reporter) -> DayReport:
    """Run the daily job for ``day`` if a table lacks it, then for missing days before it, the newest first.

    Raises:
        RunFailed: ``day`` could not be run.
        SourceError: the source cannot be asked.
    """
    done, tables = DayReport(), store.tables(day)
    lacking = _lacking(store, tables, day) | (reports.unknown() & tables[ISSUING_ASSET].present)
    if day in lacking:
        load_candles_before(store, tables, day)
        _run_day(store, day)
        done.run.append(day)
        reports.report(store.instance)
    for window in newest_first(lacking - {day}):
        if store.seconds_left() < SECONDS_A_RUN or not _ran(store, window):
            done.left += window.days
            continue
        done.run += window.days
        reports.report(store.instance)
    done.left.sort()
    return done


def _lacking(store: Store, tables: dict[str, TableDays], day: dt.date) -> set[dt.date]:
    """Return ``day`` if a table lacks it, and the days before it that a table of forecasts lacks."""
    missing = missing_days(store.instance, tables)
    before = set().union(*(missing[asset] for asset in FORECAST_ASSETS))
    asked_for = {day} if day not in tables[ISSUING_ASSET].present or _never_answered(tables, day) else set()
    return asked_for | before | ({day} & set().union(*missing.values()))


def _never_answered(tables: dict[str, TableDays], day: dt.date) -> bool:
    """Return whether ``day`` has answers to score and the table of them not one row, so lacks none."""
    return day - DAY in tables[ISSUING_ASSET].present and not tables[CHANCE_SCORES.name].present


def load_candles_before(store: Store, tables: dict[str, TableDays], day: dt.date) -> None:
    """Load the candles and features that are missing before ``day``: all of them where there are none."""
    settings = store.settings
    source = open_source(settings)
    first = source.first_day(settings.symbol) or day
    if first >= day:
        return
    before = {asset: replace(tables[asset], due=day - DAY) for asset in MARKET_ASSETS}
    candles = before[RAW_KLINES.name]
    empty = frozenset(_days_without_candle(source, settings.symbol, first, candles))
    load_history(
        settings,
        store.instance,
        first,
        day - DAY,
        before | {RAW_KLINES.name: replace(candles, excused=empty)},
    )


def _days_without_candle(
    source: KlineSource, symbol: str, first: dt.date, candles: TableDays
) -> set[dt.date]:
    """Return the days between stored candles of which the source has none; without gaps it is not asked."""
    gaps = set(days(first, candles.newest or first)) - candles.present
    found = (source.klines(symbol, window.start, window.end) for window in windows(gaps))
    return gaps - {kline.date for klines in found for kline in klines}


def _run_day(store: Store, day: dt.date) -> None:
    """Run ``day``; a failure does not count if somebody else did the day meanwhile."""
    try:
        store.run(Window(day, day + DAY))
    except RunFailed:
        if day in _lacking(store, store.tables(day), day):
            raise
        log.warning("%s was done by another call at the same time", day)


def _ran(store: Store, window: Window) -> bool:
    """Run ``window``; return whether that went well. The day of the event is done, so a failure is logged."""
    try:
        store.run(window)
    except RunFailed as error:
        log.warning("%s is left: %s", window, error)
        return False
    return True


def newest_first(days: set[dt.date]) -> list[Window]:
    """Group ``days`` into windows of at most ``DAYS_A_RUN``, the newest first."""
    return [chunk for window in windows(days)[::-1] for chunk in window.chunks(DAYS_A_RUN)[::-1]]
