"""How fresh what is shown is: by the one rule that Dagster's checks and `btc doctor` go by too."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.health.missing_days import Age, TableDays, age_of, due_day
from btc_assets.health.table_days import market_days, written_candles, written_forecasts
from btc_assets.market.calendar import closes_at
from btc_dash.data.cache import TableCache

_market_days = lru_cache(maxsize=4)(market_days)


@dataclass(frozen=True, slots=True)
class Freshness:
    """``newest`` day with a candle, how long ago it closed, and the ``missing`` days of candles or forecasts.

    ``age`` is that of the older of the two tables; of the candles alone while there is no forecast at all.
    """

    age: Age
    newest: dt.date | None
    since: dt.timedelta
    missing: tuple[dt.date, ...]


def read_freshness(cache: TableCache, now: dt.datetime, allowed: dt.timedelta) -> Freshness:
    """Judge the stored days by the clock; a day is due ``allowed`` after it closed."""
    candles = cache.keep(RAW_KLINES, "days", lambda: written_candles(cache, cache.symbol))
    forecasts = cache.keep(FORECASTS, "days", lambda: written_forecasts(cache, cache.symbol))
    return judge(*_market_days(candles, forecasts, due_day(now, allowed)), now, allowed)


def judge(candles: TableDays, forecasts: TableDays, now: dt.datetime, allowed: dt.timedelta) -> Freshness:
    """Grade both tables together."""
    ages = [age_of(table, now, allowed) for table in (candles, forecasts) if table.newest]
    newest = candles.newest
    if newest is None:
        return Freshness(Age.NONE, None, dt.timedelta(0), ())
    missing = tuple(sorted({*candles.missing, *forecasts.missing}))
    since = max(now - closes_at(newest), dt.timedelta(0))
    return Freshness(max(ages, key=list(Age).index), newest, since, missing)
