"""Remembers, across threads and processes, until when the exchange told us to stay away."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

LONGEST_BAN = 3 * 86400.0
"""Seconds; Binance documents bans from 2 minutes to 3 days."""

LONGEST_LIMIT = 3600.0
"""Seconds; the weight window behind a 429 is a minute, so anything longer is a mistake."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hold:
    """No call before ``until`` (seconds since 1970), because of ``status`` (418 ban, 429 limit)."""

    until: float
    status: int


class Cooldown:
    """The hold in force, kept in memory and, given a ``path``, in a file other processes read."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._hold: Hold | None = None
        self._lock = threading.Lock()

    def current(self) -> Hold | None:
        """The hold in force now, if any."""
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
        body = json.dumps({"until": hold.until, "status": hold.status})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=self._path.name, delete=False
            ) as file:
                file.write(body)
            Path(file.name).replace(self._path)
        except OSError as error:
            _log.warning("the hold could not be kept for other processes in %s: %s", self._path, error)
