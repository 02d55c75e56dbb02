"""What every page and every API answer is made from: settings, tables, clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from btc_assets.errors import StorageError
from btc_assets.factory import open_registry, open_tables
from btc_assets.settings import Settings
from btc_dash.data import market
from btc_dash.data.cache import Reader
from btc_dash.data.freshness import Freshness, judge
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

    def freshness(self) -> Freshness:
        """Return how old the newest candle is; no data while the store has never answered."""
        try:
            newest = market.history(self.reader).newest
        except (StorageError, OSError):
            newest = None
        return judge(newest, self.now(), dt.timedelta(hours=self.settings.stale_after_hours))


def open_site(settings: Settings) -> Site:
    """The surroundings that ``settings`` name.

    Raises:
        ConfigurationError: a setting that a backend needs is missing.
    """
    reader = Reader(open_tables(settings), settings.symbol)
    registry = lru_cache(maxsize=1)(lambda: open_registry(settings))
    forecaster, cards = Forecaster(reader, registry, Budget()), Cards(reader, registry)
    return Site(settings, reader, forecaster, cards, running_day(settings))
