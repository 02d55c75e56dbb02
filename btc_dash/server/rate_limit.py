"""Limit how many forecasts each client may have computed: a token bucket."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from cachetools import LRUCache


class TooManyRequests(Exception):
    """The client has no tokens left; ``retry_after`` seconds until it has one again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many forecasts computed for you; try again in {retry_after} s.")
        self.retry_after = retry_after


class RateLimiter:
    """``burst`` computations at once for each client, refilled by ``per_second``.

    The least recent of more than ``clients`` is forgotten, so that memory stays bounded.
    """

    def __init__(
        self,
        per_second: float = 1.0,
        burst: int = 20,
        clients: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(clients)
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Take a token of ``client``.

        Raises:
            TooManyRequests: nothing is left.
        """
        now = self._clock()
        with self._lock:
            left, then = self._left.get(client, (float(self._burst), now))
            left = min(self._burst, left + (now - then) * self._per_second)
            enough = left >= 1
            self._left[client] = (left - 1 if enough else left, now)
        if not enough:
            raise TooManyRequests(math.ceil((1 - left) / self._per_second))
