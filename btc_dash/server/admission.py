"""How many requests a process works on, and how many may wait: whoever comes then gets a quick 503."""

from __future__ import annotations

import threading

AT_ONCE = 4
"""Requests a process works on at the same time; more would only share the same processor."""

WAITING = 96
"""Requests that may wait for their turn, a second's work or two."""

PATIENCE = 10.0
"""Seconds a request waits at most; after that nobody looks at the page any more."""


class Crowded(Exception):
    """There are too many; come again in ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many visitors at once; try again in {retry_after} s.")
        self.retry_after = retry_after


class Gate:
    """Lets ``at_once`` through, lets ``waiting`` wait for ``patience`` seconds, and sends the rest away."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._free = threading.Semaphore(at_once)
        self._room = threading.Semaphore(at_once + waiting)
        self._patience = patience

    def enter(self) -> None:
        """Wait for a turn; each ``enter`` that returns is followed by one ``leave``.

        Raises:
            Crowded: there is no room to wait, or the turn did not come in time.
        """
        if not self._room.acquire(blocking=False):
            raise Crowded(2)
        if not self._free.acquire(timeout=self._patience):
            self._room.release()
            raise Crowded(5)

    def leave(self) -> None:
        """Give the turn to the next."""
        self._free.release()
        self._room.release()
