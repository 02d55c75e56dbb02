"""Fetch the running day's candle, for a forecast "from now", when a visitor asks for it."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from btc_assets.errors import NoDataYet
from btc_assets.market.kline import Kline
from btc_assets.settings import Settings

GOOD_FOR = 60.0
"""Seconds for which one answer serves everybody."""

DEADLINE = 5.0
"""Seconds a visitor waits for the exchange."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A candle that is not final, and when it was fetched (UTC)."""

    candle: Kline
    at: dt.datetime


class RunningDay:
    """Fetches the running candle at most once a minute, whoever asks."""

    def __init__(
        self, ask: Callable[[], Kline | None] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Fetch the candle by ``ask``; None where the source has no running day."""
        self._ask = ask
        self._recent: TTLCache[str, Quote] = TTLCache(1, GOOD_FOR, clock)
        self._lock = threading.Lock()

    @property
    def offered(self) -> bool:
        """Whether there is a running day to ask for."""
        return self._ask is not None

    def quote(self) -> Quote:
        """Return the candle as it stood within the last minute.

        Raises:
            NoDataYet: this source has no running day, or nothing was traded yet today.
            SourceError: the exchange did not answer.
        """
        if self._ask is None:
            raise NoDataYet("This source has no running day.")
        with self._lock:
            recent = self._recent.get("")
            if recent is None:
                candle = self._ask()
                if candle is None:
                    raise NoDataYet("Nothing was traded yet today.")
                recent = self._recent[""] = Quote(candle, dt.datetime.now(dt.UTC))
            return recent


def running_day(settings: Settings) -> RunningDay:
    """Return the running day of the settings' exchange; none for archives and simulated markets."""
    if settings.source not in ("binance", "landing"):
        return RunningDay(None)

    def ask() -> Kline | None:
        from btc_assets.market.retry import RetryPolicy
        from btc_assets.market.sources.binance import Binance

        hold_file = settings.cache_dir / "binance-hold.json"
        exchange = Binance(settings.binance_url, retry=RetryPolicy(deadline=DEADLINE), hold_file=hold_file)
        return exchange.running_candle(settings.symbol)

    return RunningDay(ask)
