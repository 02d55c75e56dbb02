"""Memory, across threads and processes, of how long the exchange bans or limits this address."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from btc_assets.io.files import write_atomically

LONGEST_BAN = 3 * 86400.0
"""Seconds; Binance documents bans from 2 minutes to 3 days."""

LONGEST_LIMIT = 3600.0
"""Seconds; the weight window behind a 429 is a minute, so anything longer is a mistake."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hold:
    """A ban (``status`` 418) or limit (429): no call before ``until`` (seconds since 1970, UTC)."""

    until: float
    status: int


class BanMemory:
    """The current hold, in memory and, given a ``path``, in a file that other processes read."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._hold: Hold | None = None
        self._lock = threading.Lock()

    def current(self) -> Hold | None:
        """Return the current hold, or None."""
        with self._lock:
            holds = [hold for hold in (self._hold, self._read()) if hold and hold.until > time.time()]
            return max(holds, key=lambda hold: (hold.status == 418, hold.until), default=None)

    def hold(self, seconds: float, status: int) -> Hold:
        """Start a hold of ``seconds``, capped at what the exchange documents for ``status``."""
        longest = LONGEST_BAN if status == 418 else LONGEST_LIMIT
        hold = Hold(time.time() + min(max(seconds, 0.0), longest), status)
        with self._lock:
            self._hold = hold
            if self._path is not None:
                self._write(hold)
        return hold

    def _read(self) -> Hold | None:
        if self._path is None:
            return None
        try:
            body = json.loads(self._path.read_text())
            hold = Hold(float(body["until"]), int(body["status"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            _log.warning("%s is not a readable hold (%s); it is ignored", self._path, error)
            return None
        # A clock that was wrong when the file was written must not lock us out for years.
        return hold if hold.until <= time.time() + LONGEST_BAN else None

    def _write(self, hold: Hold) -> None:
        assert self._path is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(asdict(hold)).encode(), durable=False)
        except OSError as error:
            _log.warning("the hold could not be kept for other processes in %s: %s", self._path, error)
