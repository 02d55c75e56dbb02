"""Examines whether implied volatility, where it is switched on, was there when it was needed."""

from __future__ import annotations

import datetime as dt

import polars as pl

from btc_assets.contracts import FORECASTS, RAW_KLINES
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.missing_days import due_day
from btc_assets.market.calendar import DAY
from btc_assets.series import IMPLIED
from btc_assets.storage.bitemporal import versions
from btc_assets.storage.tables import read_pair

LOOKBACK = 30
"""Days up to the due one that are looked at."""


def examine_implied_volatility(site: Surroundings) -> list[Finding]:
    """Examine the series: late if a recent day since the first value has none (``implied_volatility``).

    It also says which recent forecasts were issued before the value of their day was there, if it ever was.
    """
    if site.settings.implied_volatility == "off":
        return [Finding("implied_volatility", State.OK, "off: BTC_IMPLIED_VOLATILITY", 0, 0)]
    due = due_day(site.now(), dt.timedelta(hours=site.settings.stale_after_hours))
    since, symbol = due - (LOOKBACK - 1) * DAY, site.settings.symbol
    values = versions(site.tables, symbol, IMPLIED)
    arrived = dict(values.group_by("date").agg(pl.col("ingested_at").min()).iter_rows())
    first = min(arrived, default=due)
    candles = read_pair(site.tables, RAW_KLINES, symbol, ["date"], since)["date"].sort()
    issued = read_pair(site.tables, FORECASTS, symbol, ["origin_date", "issued_at"], since)
    made = issued.unique("origin_date").sort("origin_date").iter_rows()
    lacking = [day for day in candles if first <= day <= due and day not in arrived]
    without = [day for day, at in made if day <= due and not arrived.get(day, at + DAY) <= at]
    said = f"no value for {_days(lacking)}" if lacking else f"there to {max(arrived, default='no day')}"
    said += f"; forecasts issued without it: {_days(without)}" if without else "; every forecast had it"
    facts: dict[str, str | float] = {"forecasts without": len(without)}
    state = State.LATE if lacking else State.OK
    return [Finding("implied_volatility", state, said, len(lacking), 0, facts)]


def _days(found: list[dt.date]) -> str:
    return f"{found[-1]}" if len(found) == 1 else f"{len(found)} days, the last {found[-1]}"
