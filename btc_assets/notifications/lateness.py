"""Is the newest closed day there: its candle, and the forecast from it?"""

from __future__ import annotations

import datetime as dt

from btc_assets.contracts import FORECASTS, RAW_KLINES, TableSpec
from btc_assets.errors import StorageError, TableMissing
from btc_assets.market.calendar import last_closed_day
from btc_assets.notifications.notifier import Problem
from btc_assets.storage.tables import TableStore


def late(tables: TableStore, symbol: str, now: dt.datetime, grace: dt.timedelta) -> list[Problem]:
    """Return what should be there by now and is not: a day is due ``grace`` after it closed (UTC midnight).

    A table without any row is no problem: nothing was loaded yet, and when to begin is a person's choice.
    A store that cannot be read is one.
    """
    due = last_closed_day(now - grace)
    problems = []
    try:
        for spec, what in ((RAW_KLINES, "candle"), (FORECASTS, "forecast")):
            newest = _newest(tables, spec, symbol, due)
            if newest is not None and newest < due:
                problems.append(_late(what, newest, due, now))
    except StorageError as error:
        problems.append(Problem("store", "The tables cannot be read", f"{error}"))
    return problems


def _newest(tables: TableStore, spec: TableSpec, symbol: str, due: dt.date) -> dt.date | None:
    """Return the newest day that ``symbol`` has a row of; looks at old rows only if there are no new ones."""
    for start in (due, None):
        try:
            rows = tables.read(spec, ["symbol", spec.day], start=start)
        except TableMissing:
            return None
        mine = rows.filter(rows["symbol"] == symbol)[spec.day]
        if len(mine):
            newest = mine.max()
            assert isinstance(newest, dt.date)
            return newest
    return None


def _late(what: str, newest: dt.date, due: dt.date, now: dt.datetime) -> Problem:
    days = (due - newest).days
    text = (
        f"At {now:%Y-%m-%d %H:%M} UTC the newest {what} is that of {newest}; that of {due} is due"
        f"{f', {days} days are missing' if days > 1 else ''}.\n"
        "`catch_up` asks for missing days by itself. If this stays, look at the newest runs in Dagster and "
        "at `btc doctor`: is the exchange in reach, does Dagster's daemon run?"
    )
    return Problem(f"late {what}", f"The {what} of {due} is missing", text)
