"""Reads the tables for the pages: each thing once a version, the last good one through an outage."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import polars as pl
from cachetools import LRUCache

from btc_assets.contracts import TableSpec
from btc_assets.errors import StorageError, TableMissing
from btc_assets.storage.stored_pairs import stored_pairs
from btc_assets.storage.tables import TableStore

T = TypeVar("T")

log = logging.getLogger(__name__)

_ABSENT = -1
"""The version of a table that was never written."""

_OUTDATED = -2
"""The version of a value that must be loaded anew, and is good until then."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The store has not answered since ``since`` (UTC); pages show what was read before."""

    since: dt.datetime


@dataclass(slots=True)
class _Entry:
    """A value, or none yet, and the lock that one thread holds while it loads it."""

    version: int | None = None
    value: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class TableCache:
    """A cache in front of a table store, safe for threads: each thing is loaded by one thread at a time.

    Versions are asked for at most every ``check_every`` seconds. While the store fails, every value
    that was read before is answered as it was, and ``outage`` says since when.
    """

    def __init__(
        self,
        tables: TableStore,
        symbol: str,
        check_every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        limit: int = 512,
    ) -> None:
        self.symbol = symbol
        self._outages: dict[str, Outage] = {}
        self._reasons: dict[str, str] = {}
        self._gone: set[str] = set()
        self._tables = tables
        self._check_every = check_every
        self._clock = clock
        self._versions: dict[str, tuple[float, int]] = {}
        self._entries: LRUCache[tuple[str, Hashable], _Entry] = LRUCache(limit)
        self._asking: set[str] = set()
        self._lock = threading.Lock()

    @property
    def outage(self) -> Outage | None:
        """Since when some table cannot be read; None while all can."""
        return min(list(self._outages.values()), key=lambda outage: outage.since, default=None)

    def version(self, spec: TableSpec) -> int:
        """Return the table's version as last seen; -1 where it was never written.

        One thread asks the store; others meanwhile go on with what was seen before. A table that was seen and
        is there no more counts as an outage.

        Raises:
            StorageError: the store fails and never answered before.
        """
        with self._lock:
            seen = self._versions.get(spec.name)
            if seen and (self._clock() - seen[0] < self._check_every or spec.name in self._asking):
                return seen[1]
            self._asking.add(spec.name)
        try:
            version = self._tables.version(spec) if self._tables.exists(spec) else _ABSENT
            if version == _ABSENT and self._was_seen(spec):
                raise TableMissing(f"table {spec.name} was there and is gone")
            self._recovered(spec)
        except (StorageError, OSError) as error:
            self._failed(spec, error)
            if seen is None:
                raise
            version = seen[1]
        finally:
            self._asking.discard(spec.name)
        with self._lock:
            self._versions[spec.name] = (self._clock(), version)
        return version

    def read(
        self,
        spec: TableSpec,
        columns: list[str] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
    ) -> pl.DataFrame:
        """Return this symbol's rows of [start, end), not kept; empty where the table was never written.

        Raises:
            StorageError: the table cannot be read, or was seen before and is gone.
        """
        wanted = None if columns is None else list(dict.fromkeys(["symbol", *columns]))
        try:
            frame = self._tables.read(spec, wanted, start, end)
        except TableMissing as error:
            if self._was_seen(spec):
                self._failed(spec, error)
                raise
            frame = spec.empty().select(wanted or pl.all())
        return frame.filter(pl.col("symbol") == self.symbol)

    def pairs(self) -> list[str]:
        """Return the pairs that the store has candles of."""
        return stored_pairs(self._tables)

    def keep(self, spec: TableSpec, key: Hashable, load: Callable[[], T]) -> T:
        """Return ``load()``, called once a version of ``spec``'s table; the last good result in an outage.

        Raises:
            StorageError: the store fails and nothing was read before.
        """
        version = self.version(spec)
        with self._lock:
            entry = self._entries.setdefault((spec.name, key), _Entry())
        with entry.lock:
            if entry.version is None or (entry.version != version and spec.name not in self._outages):
                try:
                    entry.value, entry.version = load(), version
                    self._reasons.pop(spec.name, None)
                except (StorageError, OSError) as error:
                    self._failed(spec, error)
                    if entry.version is None:
                        raise
            return entry.value  # type: ignore[no-any-return]

    def _was_seen(self, spec: TableSpec) -> bool:
        seen = self._versions.get(spec.name)
        return seen is not None and seen[1] != _ABSENT

    def _failed(self, spec: TableSpec, error: Exception) -> None:
        """Begin an outage of the table, and say why in the log, once a reason."""
        self._outages.setdefault(spec.name, Outage(dt.datetime.now(dt.UTC)))
        if isinstance(error, TableMissing):
            self._gone.add(spec.name)
        if self._reasons.get(spec.name) != str(error):
            self._reasons[spec.name] = str(error)
            log.error("%s cannot be read, what was read before is shown: %s", spec.name, error)

    def _recovered(self, spec: TableSpec) -> None:
        """End an outage; what was kept of a table that was gone is loaded anew, for it may be another one."""
        self._outages.pop(spec.name, None)
        if spec.name not in self._gone:
            return
        with self._lock:
            self._gone.discard(spec.name)
            for key, entry in self._entries.items():
                if key[0] == spec.name and entry.version is not None:
                    entry.version = _OUTDATED
