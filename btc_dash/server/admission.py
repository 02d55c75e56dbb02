"""Shed load: limit how many requests run and wait at once; whoever comes then gets a quick 503."""

from __future__ import annotations

import threading

MAX_CONCURRENT = 4
"""Requests a process works on at the same time; more would only share the same processor."""

MAX_QUEUED = 96
"""Requests that may wait for their turn, a second's work or two."""

MAX_WAIT_SECONDS = 10.0
"""Seconds a request waits at most; after that nobody looks at the page any more."""


class Overloaded(Exception):
    """There are too many requests; try again in ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many visitors at once; try again in {retry_after} s.")
        self.retry_after = retry_after


class AdmissionControl:
    """Let ``max_concurrent`` run and ``max_queued`` wait for ``max_wait`` seconds; refuse the rest.

    ``inside`` counts those that run or wait.
    """

    def __init__(
        self,
        max_concurrent: int = MAX_CONCURRENT,
        max_queued: int = MAX_QUEUED,
        max_wait: float = MAX_WAIT_SECONDS,
    ) -> None:
        self._free = threading.Semaphore(max_concurrent)
        self._room = threading.Semaphore(max_concurrent + max_queued)
        self._max_wait = max_wait
        self._count = threading.Lock()
        self.inside = 0

    def acquire(self) -> None:
        """Wait for a turn; each ``acquire`` that returns is followed by one ``release``.

        Raises:
            Overloaded: there is no room to wait, or the turn did not come in time.
        """
        if not self._room.acquire(blocking=False):
            raise Overloaded(2)
        self._add(1)
        if not self._free.acquire(timeout=self._max_wait):
            self._room.release()
            self._add(-1)
            raise Overloaded(5)

    def release(self) -> None:
        """Give the turn to the next request."""
        self._free.release()
        self._room.release()
        self._add(-1)

    def _add(self, change: int) -> None:
        with self._count:
            self.inside += change
