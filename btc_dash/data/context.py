"""What every page and every API answer is made from: settings, tables, clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from btc_assets.factory import open_registry, open_tables
from btc_assets.settings import Settings
from btc_dash.data.cache import Reader
from btc_dash.data.model_cards import Cards
from btc_dash.data.on_demand import Forecaster
from btc_dash.data.running_day import RunningDay, running_day
from btc_dash.server.rate_limit import Budget


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Site:
    """One running web app's surroundings; tests put their own clock and tables in."""

    settings: Settings
    reader: Reader
    forecaster: Forecaster
    cards: Cards
    running: RunningDay
    now: Callable[[], dt.datetime] = field(default=_utc_now)


def open_site(settings: Settings) -> Site:
    """The surroundings that ``settings`` name.

    Raises:
        ConfigurationError: a setting that a backend needs is missing.
    """
    reader = Reader(open_tables(settings), settings.symbol)
    registry = lru_cache(maxsize=1)(lambda: open_registry(settings))
    forecaster, cards = Forecaster(reader, registry, Budget()), Cards(reader, registry)
    return Site(settings, reader, forecaster, cards, running_day(settings))
