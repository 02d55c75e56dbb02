"""Tables on the web that can only be read: their logs are copied, entry by entry, and read from the copies.

A web server lists no files, but entries of a log are numbered and never change, and all are kept. So each
is fetched once, those that are new until there is none, and an entry that was seen must stay what it was.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData, StorageError, StorageUnavailable
from btc_assets.io.files import write_atomically
from btc_assets.io.web_folder import WebFolder
from btc_assets.storage.delta.log import DeltaLog
from btc_assets.storage.delta.log_entries import ENTRY, commit_info
from btc_assets.storage.delta.log_reader import Snapshot
from btc_assets.storage.delta.s3_files import RemoteFolder
from btc_assets.storage.delta.store import DeltaTables

AT_ONCE = 16
"""Entries that are fetched at the same time, at most."""


class WebTables(DeltaTables):
    """The tables below the web address ``root``.

    Args:
        root: http or https address that serves the files of a store as they lie in its folder or bucket.
        cache: folder for copies of logs and verified copies of data files.
        look_every: seconds between two looks at a log.
        read_only: why nothing can be written, in words.
    """

    def __init__(self, root: str, cache: Path, look_every: float, read_only: str) -> None:
        super().__init__(root, cache=cache, read_only=read_only)
        self.look_every = look_every

    def _open_log(self, spec: TableSpec) -> DeltaLog:
        return CopiedLog(spec, self._web(spec), self.cache / "logs" / spec.name, self.look_every)

    def _folder(self, spec: TableSpec) -> RemoteFolder:
        if spec not in self._remote:
            self._remote[spec] = RemoteFolder(self._web(spec), self.cache / "tables", spec)
        return self._remote[spec]

    def _web(self, spec: TableSpec) -> WebFolder:
        return WebFolder(f"{self.root}/tables/{spec.name}")


class CopiedLog(DeltaLog):
    """The log of the table in ``web``, copied to ``copy``; every method raises as `look` does."""

    def __init__(self, spec: TableSpec, web: WebFolder, copy: Path, look_every: float) -> None:
        super().__init__(spec, str(copy), {})
        self._web, self._copy, self._look_every = web, copy, look_every
        self._looked = -math.inf

    def exists(self) -> bool:
        """Return whether the table was created."""
        self.look()
        return super().exists()

    def open(self, version: int | None = None, *, heal: bool = False) -> Snapshot:
        """Return the table as of ``version``, or as it was at the last look."""
        self.look()
        return super().open(version, heal=heal)

    def torn_entries(self) -> list[str]:
        """Return what is torn in the log now."""
        self.look()
        return super().torn_entries()

    def look(self) -> None:
        """Fetch the entries that are new, unless the last look was less than ``look_every`` seconds ago.

        Raises:
            StorageUnavailable: the server does not answer, or with something else than an entry.
            StorageError: the newest entry that was seen is another one now, or the cache cannot be written.
        """
        with self.lock:
            if time.monotonic() - self._looked < self._look_every:
                return
            there = self._count()
            if there:
                self._require_unchanged(there - 1)
            self._fetch_from(there)
            self._looked = time.monotonic()

    def _load(self, version: int | None) -> Snapshot:
        try:
            return super()._load(version)
        except CorruptData as error:
            raise CorruptData(f"{error}. If {self._web.location} is sound, remove that copy") from error

    def _count(self) -> int:
        """Return how many entries are here, from 0 without a gap."""
        return len(list((self._copy / "_delta_log").glob("*.json")))

    def _require_unchanged(self, number: int) -> None:
        """Check that the entry that was the newest is still there: what was seen may only be added to."""
        path = self._copy / ENTRY.format(number)
        if self._fetch_entry(number) != path.read_bytes():
            raise StorageError(
                f"table {self.spec.name} at {self._web.location} was rewritten: entry {number} of its log is "
                "gone or not the one that was seen before. To read what is there now, remove "
                f"{self._copy.parent}"
            )

    def _fetch_from(self, number: int) -> None:
        """Fetch the entries from ``number`` on, more and more at once, and store them in order."""
        at_once = 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while True:
                numbers = range(number, number + at_once)
                for each, content in zip(numbers, pool.map(self._fetch_entry, numbers), strict=True):
                    if content is None:
                        return
                    self._store(each, content)
                number, at_once = number + at_once, min(2 * at_once, AT_ONCE)

    def _fetch_entry(self, number: int) -> bytes | None:
        key = ENTRY.format(number)
        content = self._web.get(key)
        if content is not None:
            try:
                commit_info(key, content)
            except (ValueError, AttributeError) as error:
                raise StorageUnavailable(
                    f"{self._web.location}/{key} is no entry of a table's log, it begins {content[:40]!r}; "
                    "what is not there must be answered with 404"
                ) from error
        return content

    def _store(self, number: int, content: bytes) -> None:
        path = self._copy / ENTRY.format(number)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            raise StorageError(f"cannot write to {path.parent}: {error.strerror} (BTC_CACHE_DIR)") from error
