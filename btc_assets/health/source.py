"""Examines the source of candles: does it answer, does its clock agree with ours, what does it offer?"""

from __future__ import annotations

import datetime as dt
import time

from btc_assets.errors import BtcError
from btc_assets.health.finding import Finding, State, Surroundings
from btc_assets.health.missing_days import due_day
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.sources.factory import open_source
from btc_assets.market.sources.protocol import KlineSource

SECONDS = 6.0
"""How long the source may take; a run gives it ``BTC_SOURCE_DEADLINE``."""

MOST_APART = dt.timedelta(minutes=5)
"""How far the source's clock and ours may be apart."""

LOOKBACK = 10
"""Days in which the newest offered candle is looked for."""


def examine_source(site: Surroundings) -> list[Finding]:
    """Examine the source: findings ``source``, ``clock`` and ``offered_candle``."""
    settings, began = site.settings, time.monotonic()
    try:
        source = open_source(settings.model_copy(update={"source_deadline": SECONDS}))
        clock = source.now()
        newest = newest_offered(source, settings.symbol, min(clock, site.now()))
    except BtcError as error:
        first = str(error).splitlines()[0]
        seconds, facts = time.monotonic() - began, {"error": type(error).__name__}
        return [Finding("source", State.BROKEN, first, seconds, SECONDS, dict(facts))]
    label = "SIMULATED market" if source.simulated else settings.source
    answers = Finding("source", State.OK, f"{label} answers", time.monotonic() - began, SECONDS)
    return [answers, _clock(source, clock, site.now()), _offered(newest, site)]


def newest_offered(source: KlineSource, symbol: str, now: dt.datetime) -> dt.date | None:
    """Return the day of the newest closed candle offered, None where the last ten days have none."""
    today = now.date()
    klines = source.klines(symbol, today - LOOKBACK * DAY, today)
    return klines[-1].date if klines else None


def _clock(source: KlineSource, clock: dt.datetime, ours: dt.datetime) -> Finding:
    if not source.has_clock:
        return Finding("clock", State.OK, f"{source.name} has no clock of its own")
    apart = abs(clock - ours)
    said = f"ours says {ours:%Y-%m-%d %H:%M} UTC, the source's {clock:%Y-%m-%d %H:%M} UTC"
    state = State.BROKEN if apart > MOST_APART else State.OK
    detail = f"{said}; set this machine's clock" if state is State.BROKEN else said
    return Finding("clock", state, detail, apart.total_seconds(), MOST_APART.total_seconds())


def _offered(newest: dt.date | None, site: Surroundings) -> Finding:
    allowed = dt.timedelta(hours=site.settings.stale_after_hours)
    due = due_day(site.now(), allowed)
    if newest is None:
        detail = f"the source offers no closed candle of {site.settings.symbol} in the last {LOOKBACK} days"
        return Finding("offered_candle", State.LATE, detail)
    behind = max((due - newest).days, 0)
    said = (
        f"the newest closed candle offered is that of {newest}, closed {closes_at(newest):%Y-%m-%d %H:%M} UTC"
    )
    detail = f"{said}; that of {due} is due" if behind else said
    facts: dict[str, str | float] = {"newest": str(newest), "due": str(due)}
    return Finding("offered_candle", State.LATE if behind else State.OK, detail, behind, 0, facts)
