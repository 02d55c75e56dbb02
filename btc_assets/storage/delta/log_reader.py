"""Read the transaction log of one Delta table: open a version, and see that nothing is torn."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData, StorageError, StorageUnavailable, TableMissing
from btc_assets.io.files import fingerprint
from btc_assets.storage.delta.checkpoints import Checkpoints
from btc_assets.storage.delta.data_files import DataFile
from btc_assets.storage.delta.log_entries import ENTRY, FILES_HASH, commit_info, move_aside, names_digest
from btc_assets.storage.delta.schema import missing_columns
from btc_assets.storage.delta.vacuum import TORN

if TYPE_CHECKING:
    from btc_assets.io.s3 import Bucket

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """One version of a table and the files that make it up.

    ``missing`` are the contract's columns that an older release, which made the table, did not know.
    """

    table: DeltaTable
    version: int
    files: tuple[DataFile, ...]
    missing: tuple[str, ...] = ()


class LogReader:
    """The log of the table at ``uri``.

    The state that was read last is kept, and only what was added since is read again. ``lock`` must be held
    from ``open`` to ``commit``, for a snapshot's state moves on with the next ``open``.
    """

    def __init__(self, spec: TableSpec, uri: str, storage_options: dict[str, str]) -> None:
        self.spec = spec
        self.uri = uri
        self.options = storage_options
        self.folder = None if "://" in uri else Path(uri)
        self.lock = threading.RLock()
        self._kept: tuple[Snapshot, object] | None = None
        self._last_entry_read: tuple[int, dict[str, Any]] | None = None

    @cached_property
    def _bucket(self) -> Bucket:
        """The table's folder on S3, as we reach it ourselves."""
        from btc_assets.storage.delta.s3_files import open_bucket

        return open_bucket(self.uri, self.options)

    def exists(self) -> bool:
        """Return whether the table was created."""
        try:
            found = DeltaTable.is_deltatable(self.uri, storage_options=self.options)
        except OSError as error:
            raise self._failure("looked for", error) from error
        if not found:
            self._require_reachable()
        return found

    def open(self, version: int | None = None, *, heal: bool = False) -> Snapshot:
        """Return the table as of ``version``, or now.

        If the newest entry of a local log is torn, this is the version before it, and an error is logged;
        with ``heal`` (before a write) the torn entry is also moved aside, to be found by ``torn_entries``.
        Torn with the entry that creates it, a table is missing: it was empty.

        Raises:
            TableMissing: never created.
            StorageError: there is no such version, or its schema is not the contract's.
            CorruptData: the log cannot be read, or does not agree with itself.
        """
        try:
            with self.lock:
                return self._load(version)
        except CorruptData as error:
            if version is not None:
                self._check_version(version)
                raise
            last = self._last_entry()
            if last is None or (int(last.stem) == 0 and any(last.parent.parent.glob("*.parquet"))):
                raise
            if int(last.stem) == 0:
                if heal:
                    move_aside(last)
                raise TableMissing(f"table {self.spec.name} was torn when it was created, empty") from error
            try:
                snapshot = self._load(int(last.stem) - 1)
            except StorageError:
                raise error from None
            log.warning("ALARM: %s; using version %d, the last good one", error, snapshot.version)
            if heal and self.spec.irreplaceable:
                raise CorruptData(
                    f"the newest entry of table {self.spec.name}'s log, {last}, is torn: "
                    f"{first_line(error)}. Nothing was written, since what it held cannot be computed again. "
                    "Put the file back from a copy (`btc restore`); the Parquet files of that folder stay"
                ) from error
            if heal:
                move_aside(last)
                snapshot = self._load(None)
            return snapshot

    def torn_entries(self) -> list[str]:
        """Return what was torn in this table's log and moved aside, oldest first, then what is torn now."""
        if self.folder is None:
            return []
        torn = sorted(self.folder.glob(f"{TORN}/*"))
        found = [f"entry {p.name} of table {self.spec.name}'s log was torn; it is kept as {p}" for p in torn]
        try:
            with self.lock:
                self._load(None)
        except TableMissing:
            pass
        except CorruptData as error:
            found.append(str(error))
        return found

    def _load(self, version: int | None) -> Snapshot:
        try:
            if version is None and self._kept is not None and self._is_last(*self._kept):
                return self._kept[0]
            table = self._newest() if version is None else self._fresh(version)
            seen = self._entry_fingerprint(table.version())
            said = self._entry(table.version()).get(FILES_HASH)
        except TableNotFoundError as error:
            self._require_reachable()
            raise TableMissing(
                f"table {self.spec.name} was never written; materialise its asset first ({self.uri})"
            ) from error
        except OSError as error:
            raise self._failure("read", error) from error
        except (DeltaError, ValueError, IndexError) as error:
            raise CorruptData(
                f"the log of table {self.spec.name} at {self.uri} cannot be read: {first_line(error)}"
            ) from error
        names = [uri.rpartition("/")[2] for uri in table.file_uris()]
        if said is None:
            raise StorageError(
                f"version {table.version()} of table {self.spec.name} at {self.uri} was not written by this "
                "store, which keeps a hash of each file; restore the table from a copy"
            )
        if said != names_digest(names):
            self._kept = None
            raise CorruptData(
                f"the log of table {self.spec.name} at {self.uri} does not agree with itself at version "
                f"{table.version()}: an entry was altered or lost; restore it from a copy"
            )
        files = tuple(sorted(map(DataFile.parse, names), key=file_order))
        snapshot = Snapshot(table, table.version(), files, missing_columns(self.spec, self.uri, table))
        if version is None:
            self._kept = snapshot, seen
        return snapshot

    def _is_last(self, snapshot: Snapshot, seen: object) -> bool:
        """Return whether a local log ends with the entry of ``snapshot``, which is as it was ``seen``.

        The state of one whose newer version could not be used has moved on and is that of neither.
        """
        if self.folder is None or snapshot.table.version() != snapshot.version:
            return False
        if seen != self._entry_fingerprint(snapshot.version):
            return False
        entry = self.folder / ENTRY.format(snapshot.version)
        with os.scandir(entry.parent) as entries:
            return not any(each.name > entry.name for each in entries if each.name[0].isdigit())

    def _newest(self) -> DeltaTable:
        if self._kept is None:
            return self._fresh(None)
        table, seen = self._kept[0].table, self._kept[1]
        if seen != self._entry_fingerprint(table.version()):
            return self._fresh(None)
        table.update_incremental()
        return table

    def _entry(self, version: int) -> dict[str, Any]:
        """Read what the commit of ``version`` says about itself; on S3, where it takes a request, once."""
        if self.folder is not None:
            path = self.folder / ENTRY.format(version)
            return commit_info(str(path), path.read_bytes())
        if self._last_entry_read is None or self._last_entry_read[0] != version:
            key = ENTRY.format(version)
            self._last_entry_read = version, commit_info(key, self._bucket.get(key) or b"")
        return self._last_entry_read[1]

    def _failure(self, action: str, error: OSError) -> StorageError:
        """Return what ``error``, of a folder or of deltalake's own S3 client, means.

        The client words a missing bucket, missing rights and a line that is down alike, so S3 is asked once
        more in a way that tells them apart.
        """
        said = f"table {self.spec.name} at {self.uri} cannot be {action}: "
        if self.folder is not None:
            return StorageError(said + (self._obstacle() or first_line(error)))
        try:
            self._bucket.get("_delta_log/_last_checkpoint")
        except StorageError as reason:
            return type(reason)(f"table {self.spec.name} cannot be {action}: {reason}")
        return StorageUnavailable(said + first_line(error))

    def _require_reachable(self) -> None:
        """Raise StorageError if what is taken for no table is one that cannot be looked at."""
        if obstacle := self._obstacle():
            raise StorageError(f"table {self.spec.name} cannot be looked for: {obstacle}")

    def _obstacle(self) -> str | None:
        """Return why a local log cannot be read, which deltalake hides; None if it can or is not there."""
        if self.folder is None:
            return None
        try:
            os.scandir(self.folder / "_delta_log").close()
            if last := self._last_entry():
                last.open("rb").close()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{error.filename} ({error.strerror})"
        return None

    def _fresh(self, version: int | None) -> DeltaTable:
        if self.folder is not None:
            Checkpoints(self.folder).drop_damaged()
        return DeltaTable(self.uri, version=version, storage_options=self.options)

    def _entry_fingerprint(self, version: int) -> object:
        """Return what shows that the log on disk is the one that was read: its entry for ``version``."""
        if self.folder is None:
            return None
        try:
            return fingerprint(self.folder / ENTRY.format(version))
        except OSError:
            return time.monotonic_ns()  # equal to nothing: read afresh

    def _check_version(self, version: int) -> None:
        newest = self.open().version
        if not 0 <= version <= newest:
            raise StorageError(f"table {self.spec.name} has versions 0 to {newest}, not {version}")

    def _last_entry(self) -> Path | None:
        """Return the newest JSON file of a log on disk, which is named by the version that it makes."""
        entries = (self.folder / "_delta_log").glob("*.json") if self.folder else ()
        return max((path for path in entries if path.stem.isdigit()), default=None)


def first_line(error: Exception) -> str:
    """Return the message of ``error`` without the traces that native libraries append."""
    return str(error).partition("\n")[0]


def file_order(file: DataFile) -> tuple[Any, ...]:
    """Return what files of a snapshot are sorted by."""
    return file.first, file.last, file.name
