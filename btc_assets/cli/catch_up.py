"""The worker process of ``btc up``: brings the tables to the newest closed day and reports progress.

Run as ``python -m btc_assets.cli.catch_up``, a process of its own, so that TensorFlow's memory goes with it.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from btc_assets.cli.fit_beside import fitting_beside
from btc_assets.cli.options import SOURCE_DOWN
from btc_assets.errors import BtcError, SourceError
from btc_assets.io import disk
from btc_assets.market.calendar import DAY, FIRST_DAY, days, last_closed_day
from btc_assets.market.sources.protocol import KlineSource
from btc_assets.settings import Settings, load
from btc_assets.supervision.loading import loading_for_good
from btc_assets.vocabulary import BACKTEST_JOB, FORECAST_ASSETS, HISTORY_JOB, ISSUING_ASSET, MARKET_ASSETS

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from btc_assets.defs.partitions import Window
    from btc_assets.health.missing_days import TableDays

ASKING, LOADING = "asking for the newest candle", "loading history"

STEPS = {
    ASKING: 3.0,
    LOADING: 20.0,
    "forecasting without a model": 1.0,
    "fitting the LSTM": 30.0,
    "fitting the MLP": 2.0,
    "issuing forecasts": 3.0,
    "scoring": 2.0,
    "scoring chances": 3.0,
}
"""What a first start does, in order, and about how many seconds each step takes: for the estimate.

The MLP is fitted beside the LSTM, see `btc_assets.cli.fit_beside`."""

ORIGINS = 30
"""How many recent origins get a forecast on the first start: enough for a first track record."""

CHUNK = 990
"""Days a run: with the days checked again they stay under the exchange's 1,000 candles a request."""

LOOKBACKS = (60, 800, 10_000)
"""Days back to look for the newest candle, one after the other: a dump may have ended long ago."""


def newest_day(source: KlineSource, symbol: str) -> dt.date:
    """Find the newest day of which the source has a closed candle.

    Raises:
        SourceError: it has none at all, or cannot be reached.
    """
    closed = last_closed_day(source.now())
    for back in LOOKBACKS:
        klines = source.klines(symbol, max(FIRST_DAY, closed - back * DAY), closed + DAY)
        if klines:
            return klines[-1].date
    raise SourceError(
        f"{source.name} has no {symbol} candle since {FIRST_DAY}; check BTC_SYMBOL and BTC_ARCHIVE"
    )


def catch_up(settings: Settings, origins: int = ORIGINS, *, alone_since: dt.datetime | None = None) -> None:
    """Materialise what is missing: the whole history of candles and features, and recent forecasts.

    ``alone_since``: when no other process worked on this store, if that is known; see `fail_orphaned_runs`.
    """
    from btc_assets.io.progress import Plan, follow, report

    follow(Plan(STEPS))
    report(settings.root, ASKING, 0.0, "starting")
    with loading_for_good():
        from btc_assets.defs.recorded_days import record_stored_days
        from btc_assets.factory import open_pair
        from btc_assets.launch import fail_orphaned_runs, open_instance

        open_pair(settings)
        opened = open_instance(settings)
    with opened as instance:
        fail_orphaned_runs(instance, began_before=alone_since)
        try:
            first, newest = _ask_source(settings)
        except SourceError:
            record_stored_days(instance, days_of(settings, last_closed_day(dt.datetime.now(dt.UTC))))
            raise
        report(settings.root, "looking for what is missing", 0.0)
        tables = days_of(settings, newest)
        record_stored_days(instance, tables)
        if load_history(settings, instance, first, newest, tables):
            tables = days_of(settings, newest)
        issue_forecasts(settings, instance, max(first, newest - (origins - 1) * DAY), newest, tables)


def _ask_source(settings: Settings) -> tuple[dt.date, dt.date]:
    """Return the first and the newest day of which the source has a closed candle."""
    from btc_assets.io.progress import report
    from btc_assets.market.sources.factory import open_source

    source = open_source(settings)
    report(settings.root, ASKING, 0.5, settings.source)
    newest = newest_day(source, settings.symbol)
    return source.first_day(settings.symbol) or newest, newest


def load_history(
    settings: Settings,
    instance: DagsterInstance,
    first: dt.date,
    newest: dt.date,
    tables: dict[str, TableDays] | None = None,
) -> bool:
    """Materialise candles and features of every day that is not there yet; return whether there were any.

    The days are those from ``first`` to ``newest``. Where nothing is there, the candles of the last years
    come first: they are all that the page needs to draw the strongest random walk while the rest is loaded
    and the networks are fitted. ``tables`` are the days that are there, which are read if they are not given.
    """
    from btc_assets.defs.partitions import Window
    from btc_assets.defs.runs import missing_days
    from btc_assets.modeling.baselines import REACH

    tables = tables or days_of(settings, newest)
    due = {asset: replace(tables[asset], begins=first, kept_up=True) for asset in MARKET_ASSETS}
    lacking = missing_days(instance, due)
    recent = Window(max(first, newest - REACH * DAY), newest + DAY)
    runs: list[tuple[Window, Sequence[str]]] = []
    if lacking[MARKET_ASSETS[0]] >= set(days(first, newest + DAY)):
        early, rest = MARKET_ASSETS[:1], MARKET_ASSETS[1:]
        runs.append((recent, early))
        runs += [(part, MARKET_ASSETS) for part in _parts(set(days(first, recent.start)))]
        runs += [(part, rest) for part in _parts(set(recent.days))]
    else:
        runs += [(part, MARKET_ASSETS) for part in _parts(set().union(*lacking.values()))]
    _run_all(settings, instance, runs)
    return bool(runs)


def _parts(missing: set[dt.date]) -> list[Window]:
    """Group days into windows of at most ``CHUNK`` days, oldest first."""
    from btc_assets.defs.runs import windows

    return [part for window in windows(missing) for part in window.chunks(CHUNK)]


def _run_all(
    settings: Settings, instance: DagsterInstance, runs: Sequence[tuple[Window, Sequence[str]]]
) -> None:
    """Run the history job over each window with its assets, and report how far all of them have come."""
    from btc_assets.io.progress import report
    from btc_assets.launch import run_window

    sizes = [len(window.days) * len(assets) for window, assets in runs]
    said = f"{sum(sizes) // len(MARKET_ASSETS):,} days of candles and features"
    for at, (window, assets) in enumerate(runs):

        def on_progress(fraction: float, before: int = sum(sizes[:at]), size: int = sizes[at]) -> None:
            report(settings.root, LOADING, (before + fraction * size) / sum(sizes), said)

        on_progress(0.0)
        run_window(instance, HISTORY_JOB, window, assets, on_progress)


def days_of(settings: Settings, newest: dt.date) -> dict[str, TableDays]:
    """Read the days in the tables, of which ``newest`` must be there."""
    from btc_assets.factory import open_tables
    from btc_assets.health.table_days import table_days

    return table_days(open_tables(settings), settings.symbol, newest)


def issue_forecasts(
    settings: Settings,
    instance: DagsterInstance,
    first: dt.date,
    newest: dt.date,
    tables: dict[str, TableDays] | None = None,
) -> None:
    """Materialise forecasts of the days from ``first`` to ``newest``, and of any gap since the first one.

    A first start, which somebody waits for, fits both networks at once. ``tables`` as of ``load_history``.
    """
    from btc_assets.defs.runs import missing_days, windows
    from btc_assets.io.progress import report
    from btc_assets.launch import run_window

    known = (tables or days_of(settings, newest)).items()
    tables = {asset: each for asset, each in known if asset in FORECAST_ASSETS}
    missing = missing_days(instance, tables)
    recent = set(days(first, newest + DAY))
    done = set() if outdated(settings) else tables[ISSUING_ASSET].present
    wanted: set[dt.date] = set().union(*missing.values()) | (recent - done)
    is_first = not tables[ISSUING_ASSET].present
    for window in windows(wanted):
        report(settings.root, "forecasting", 0.0, f"from {window}")
        with fitting_beside(window) if is_first else nullcontext():
            run_window(instance, BACKTEST_JOB, window)


def outdated(settings: Settings) -> bool:
    """Return whether a newest vintage in force was made by another release, which this one cannot use."""
    from btc_assets.contracts import VINTAGES_IN_FORCE
    from btc_assets.factory import open_registry, open_tables
    from btc_assets.modeling.compatibility import is_of_this_code
    from btc_assets.storage.registry.manifest import read_manifest
    from btc_assets.storage.registry.protocol import ModelRef, VintageId
    from btc_assets.storage.tables import read_pair

    rows = read_pair(open_tables(settings), VINTAGES_IN_FORCE, settings.symbol)
    registry = open_registry(settings)
    for row in rows.group_by("model", maintain_order=True).last().to_dicts():
        ref = ModelRef(row["model"], VintageId(row["vintage"], row["revision"]), row["manifest_sha256"])
        try:
            manifest = read_manifest(registry.model_folder(ref), ref.manifest_sha256)
        except BtcError as error:  # the runs that need it will say what is wrong with it
            print(f"btc: {error}", file=sys.stderr)
            continue
        if not is_of_this_code(manifest):
            return True
    return False


def started_alone() -> dt.datetime | None:
    """Return when this process began, if `btc up` started it: before its Dagster, and holding the folders."""
    import psutil

    from btc_assets.supervision.descendants import VARIABLE

    if VARIABLE not in os.environ:
        return None
    return dt.datetime.fromtimestamp(psutil.Process().create_time(), dt.UTC)


def main() -> None:
    """Catch up with the environment's settings; one sentence and an exit code where that fails."""
    settings = load()
    from btc_assets.io.progress import done

    try:
        catch_up(settings, alone_since=started_alone())
    except BtcError as error:
        print(f"btc: {error}", file=sys.stderr)
        sys.exit(SOURCE_DOWN if isinstance(error, SourceError) else 1)
    except OSError as error:
        print(f"btc: {disk.explain(error) or error}", file=sys.stderr)
        sys.exit(1)
    finally:
        done(settings.root)
        gc.freeze()  # the end of the process need not look at all that it kept


if __name__ == "__main__":
    main()
