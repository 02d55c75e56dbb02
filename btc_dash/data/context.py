"""Hold what every page and API answer is made from: settings, tables, models, clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from btc_assets.errors import StorageError
from btc_assets.factory import open_registry, open_tables
from btc_assets.health.missing_days import Age
from btc_assets.settings import Settings
from btc_dash.data.cache import TableCache
from btc_dash.data.chances import PathMaker
from btc_dash.data.freshness import Freshness, read_freshness
from btc_dash.data.model_cards import ModelCards
from btc_dash.data.on_demand import Forecaster
from btc_dash.data.running_day import RunningDay, running_day
from btc_dash.server.rate_limit import RateLimiter


@dataclass(frozen=True)
class Context:
    """What one running web app works with; tests put their own clock and tables in."""

    settings: Settings
    cache: TableCache
    forecaster: Forecaster
    path_maker: PathMaker
    cards: ModelCards
    running: RunningDay
    limiter: RateLimiter
    now: Callable[[], dt.datetime] = field(default=lambda: dt.datetime.now(dt.UTC))

    def freshness(self) -> Freshness:
        """Return how fresh candles and forecasts are; no data while the store has never answered."""
        allowed = dt.timedelta(hours=self.settings.stale_after_hours)
        try:
            return read_freshness(self.cache, self.now(), allowed)
        except (StorageError, OSError):
            return Freshness(Age.NONE, None, dt.timedelta(0), ())


def open_context(settings: Settings) -> Context:
    """Open what ``settings`` name.

    Raises:
        ConfigurationError: a setting that a backend needs is missing.
    """
    cache = TableCache(open_tables(settings), settings.symbol)
    registry = lru_cache(maxsize=1)(lambda: open_registry(settings))
    limiter, cards = RateLimiter(), ModelCards(cache, registry)
    forecaster, path_maker = Forecaster(cache, registry, limiter), PathMaker(cache, limiter)
    return Context(settings, cache, forecaster, path_maker, cards, running_day(settings), limiter)
