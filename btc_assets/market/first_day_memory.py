"""Memory, across processes, of the day of each pair's first candle, which never changes."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable
from pathlib import Path

from btc_assets.io.files import write_atomically

_log = logging.getLogger(__name__)


class FirstDays:
    """First days by the name of what was asked, in a file at ``path`` if there is one."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, dt.date] = {}

    def get(self, name: str, ask: Callable[[], dt.date | None]) -> dt.date | None:
        """Return the first day of ``name``, from ``ask()`` if it is not known; None is not remembered."""
        day = self._known.get(name) or self._read().get(name) or ask()
        if day is not None and name not in self._known:
            self._known[name] = day
            self._write(self._read() | {name: day})
        return day

    def _read(self) -> dict[str, dt.date]:
        try:
            kept = json.loads(self._path.read_text()) if self._path else {}
            return {str(name): dt.date.fromisoformat(day) for name, day in kept.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.warning("%s holds no readable first days (%s); they are asked for again", self._path, error)
            return {}

    def _write(self, known: dict[str, dt.date]) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            content = json.dumps({name: str(day) for name, day in known.items()}, indent=1)
            write_atomically(self._path, content.encode(), durable=False)
        except OSError as error:
            _log.warning("first days could not be kept in %s: %s", self._path, error)
