"""Format numbers, dates and names for people; pure functions, days and times in UTC."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from btc_assets.contracts import NETWORKS
from btc_assets.market.pair import price_text, ticker

MODEL_NAMES = {
    "ensemble": "Ensemble",
    "mlp": "MLP",
    "lstm": "LSTM",
    "last_close": "No change",
    "random_walk": "Random walk",
    "mixture_walk": "Mixture random walk",
}


def usd(value: float) -> str:
    """Return a price in US dollars (USDT): whole dollars from 1,000 on, cents below, and finer below one."""
    return f"${price_text(value)}"


def usd_range(low: float, high: float) -> str:
    """Two prices as one range."""
    return f"{usd(low)} – {usd(high)}"


SPACE = "\N{NO-BREAK SPACE}"
"""Between a number and "%": the two stay on one line."""


def coin(symbol: str) -> str:
    """Name what is forecast: ``Bitcoin`` for BTCUSDT, ``ETH`` for ETHUSDT."""
    base = ticker(symbol)
    return "Bitcoin" if base == "BTC" else base


def percent(share: float, digits: int = 0) -> str:
    """Return a share of one as a percentage; never "-0 %"."""
    shown = round(share * 100, digits)
    return f"{shown + 0.0:.{digits}f}{SPACE}%"


def signed_percent(share: float) -> str:
    """Return a change with its sign, to one digit."""
    shown = round(share * 100, 1) + 0.0
    return "no change" if shown == 0 else f"{'+' if shown > 0 else '−'}{abs(shown):.1f}{SPACE}%"


def day(value: dt.date, year: bool = True) -> str:
    """Return ``21 Nov 2026``."""
    return f"{value.day} {value:%b %Y}" if year else f"{value.day} {value:%b}"


@lru_cache(4096)
def long_day(value: dt.date) -> str:
    """Return ``Sat 21 November 2026``."""
    return f"{value:%a} {value.day} {value:%B %Y}"


def moment(value: dt.datetime) -> str:
    """Return ``22 Nov 2026, 00:06 UTC``."""
    return f"{day(value.date())}, {value:%H:%M} UTC"


def days(count: int) -> str:
    """Return ``1 day``, ``14 days``."""
    return f"{count:,} day{'' if count == 1 else 's'}"


def age(span: dt.timedelta) -> str:
    """Return how long ago, in the largest unit that says enough."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


def the_model(name: str) -> str:
    """Return a model's name within a sentence."""
    return f"the {model(name) if name in NETWORKS else model(name).lower()}"


def model(name: str) -> str:
    """Return a model's name for people."""
    return MODEL_NAMES.get(name, name)
