"""Tables as Delta Lake tables, on a folder or an S3 bucket: the default store.

A write reads the rows it may replace, works out what is new, and commits against the version it read. Who
loses that race reads again. There are no locks, so none can be left behind by a process that died.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import ConfigurationError, TableMissing, Unsupported, WriteConflict
from btc_assets.io.files import require_hard_links
from btc_assets.io.retries import retrying
from btc_assets.storage.delta import checkpoints
from btc_assets.storage.delta.compaction import files_to_merge
from btc_assets.storage.delta.data_files import DataFile, LocalFolder, encode, first_and_last
from btc_assets.storage.delta.diff import diff, in_order, select_window
from btc_assets.storage.delta.log import DeltaLog, Lost
from btc_assets.storage.delta.log_reader import Snapshot
from btc_assets.storage.tables import Receipt, chosen_columns, conform, conform_keys, sort_columns

if TYPE_CHECKING:
    from btc_assets.storage.delta.s3_files import RemoteFolder

ATTEMPTS = 60
"""How often a write is tried while others keep winning."""

COMMIT_TIMEOUT = 60.0
"""Seconds after which it gives up."""

_Outcome = tuple[Receipt, Snapshot]

log = logging.getLogger(__name__)


_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[\\\x00-\x1f]")
"""What delta-rs takes for something else in a path: escapes, which it decodes, and what no address holds."""

_MISREAD_ADDRESS = re.compile(r"%[0-9A-Fa-f]{2}|[?#\x00-\x1f\x7f]|//|(?<=/)\.{1,2}(?=/|$)")
"""The same in an address: what a URL decodes, cuts off or takes together."""


def require_plain_path(root: str) -> None:
    """Check that Delta Lake can keep tables below ``root``, a folder or an ``s3://`` address.

    Raises:
        ConfigurationError: it would look for them elsewhere.
    """
    _, mark, key = root.partition("://")
    if mark:
        if found := _MISREAD_ADDRESS.search(key):
            raise ConfigurationError(
                f"{root!r:.200}: Delta Lake cannot keep tables below an address with {found[0]!r} in it; "
                "set BTC_DATA_DIR to another one. What is there is not damaged"
            )
        return
    path = str(Path(root).absolute())
    if found := _MISREAD.search(path) or _MISREAD.search(os.path.realpath(root)):
        raise ConfigurationError(
            f"{path}: Delta Lake cannot keep tables below a folder with {found[0]!r} in its path; rename it, "
            "or set BTC_DATA_DIR to another one. What is in it is not damaged"
        )


class DeltaTables:
    """Keyed tables below ``root``/tables, one Delta table each.

    Args:
        root: folder or ``s3://bucket/prefix``.
        storage_options: deltalake's options for S3 (endpoint, region); credentials come from the environment.
        cache: folder for verified local copies of data files on S3.
        read_only: why nothing can be written here, in words; empty: it can.
    """

    def __init__(
        self,
        root: str,
        storage_options: dict[str, str] | None = None,
        cache: Path = Path(".cache"),
        read_only: str = "",
    ) -> None:
        require_plain_path(root)
        self.root = root
        self.cache = cache
        self.options = dict(storage_options or {})
        self.read_only = read_only
        self._logs: dict[TableSpec, DeltaLog] = {}
        self._remote: dict[TableSpec, RemoteFolder] = {}
        self._has_links = False

    def ensure_table(self, spec: TableSpec) -> None:
        """Create the table, empty, unless it exists; add the columns that only a newer contract has."""
        table = self._log(spec)
        self._require_writable(spec)
        if not table.exists():
            table.create()
        try:
            if table.open().missing:  # who adds the columns at the same time does the same
                self._until_won(spec, lambda snapshot: (Receipt(0, 0, 0, snapshot.version), snapshot))
        except TableMissing:  # the entry that created it was torn
            with contextlib.suppress(TableMissing):
                table.open(heal=True)
            table.create()

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the table was ever created."""
        return self._log(spec).exists()

    def upsert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Insert or replace rows by key in one commit; equal rows are left alone."""
        return self._write(spec, frame, replace=True)

    def insert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Add rows whose keys are new in one commit, or none if a key is there with other values."""
        return self._write(spec, frame, replace=False)

    def read(
        self,
        spec: TableSpec,
        columns: Sequence[str] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """Return rows with ``spec.day`` in [start, end), as of ``version`` or now."""
        chosen = chosen_columns(spec, columns)
        snapshot = self._log(spec).open(version)
        files = [f for f in snapshot.files if f.overlaps(start, end)]
        if not files:
            return spec.empty().select(chosen)
        rows = select_window(self._folder(spec).scan(files), spec.day, start, end)
        order = sort_columns(spec)
        needed = list(dict.fromkeys([*chosen, *order]))
        return in_order(rows.select(needed).collect(), order).select(chosen)

    def training_rows(self, spec: TableSpec, end: dt.date | None = None) -> pl.DataFrame:
        """Return the rows before ``end``."""
        return self.read(spec, end=end)

    def delete_keys(self, spec: TableSpec, keys: pl.DataFrame) -> Receipt:
        """Delete the rows whose key is in ``keys``; keys without a row are ``unchanged``."""
        keys = conform_keys(spec, keys)
        return self._until_won(spec, lambda snapshot: self._delete_once(spec, snapshot, keys))

    def version(self, spec: TableSpec) -> int:
        """Return the table's current version."""
        return self._log(spec).open().version

    def torn_entries(self, spec: TableSpec) -> list[str]:
        """Damage to the table's log that was worked around and that a person should look at."""
        return self._log(spec).torn_entries()

    def _require_writable(self, spec: TableSpec) -> None:
        """Refuse to write where one can only read and, once, a file system on which no commit can succeed."""
        if self.read_only:
            raise Unsupported(
                f"table {spec.name}: {self.root} can only be read ({self.read_only}); nothing was written"
            )
        if not self._has_links and "://" not in self.root:
            require_hard_links(Path(self.root), "BTC_DATA_DIR")
        self._has_links = True

    def _tidy(self, spec: TableSpec, before: int, snapshot: Snapshot) -> None:
        """Keep the table quick to open and read."""
        snapshot = self._merge(spec, snapshot)
        if snapshot.version // checkpoints.EVERY > before // checkpoints.EVERY:
            self._log(spec).tidy()

    def _merge(self, spec: TableSpec, snapshot: Snapshot) -> Snapshot:
        """Merge small files until there are few; a writer who gets in between will do the rest."""
        table = self._log(spec)
        nothing = spec.empty()
        try:
            while files_to_merge(snapshot.files):
                snapshot = table.open()
                small = files_to_merge(snapshot.files)
                snapshot = self._replace(spec, snapshot, small, nothing.select(spec.key), nothing)
        except Lost:
            log.info("table %s: another writer is at work; small files are merged later", spec.name)
        return snapshot

    def _log(self, spec: TableSpec) -> DeltaLog:
        if spec not in self._logs:
            self._logs.setdefault(spec, self._open_log(spec))
        return self._logs[spec]

    def _open_log(self, spec: TableSpec) -> DeltaLog:
        return DeltaLog(spec, f"{self.root}/tables/{spec.name}", self.options)

    def _folder(self, spec: TableSpec) -> LocalFolder | RemoteFolder:
        where = f"{self.root}/tables/{spec.name}"
        if where.startswith("s3://"):
            from btc_assets.storage.delta.s3_files import RemoteFolder, open_bucket

            if spec not in self._remote:
                bucket = open_bucket(where, self.options)
                self._remote[spec] = RemoteFolder(bucket, self.cache / "tables", spec)
            return self._remote[spec]
        return LocalFolder(Path(where), spec)

    def _write(self, spec: TableSpec, frame: pl.DataFrame, *, replace: bool) -> Receipt:
        frame = conform(spec, frame)

        def once(snapshot: Snapshot) -> _Outcome:
            return self._upsert_once(spec, snapshot, frame, replace=replace)

        try:
            return self._until_won(spec, once)
        except TableMissing:
            self.ensure_table(spec)
        return self._until_won(spec, once)

    def _until_won(self, spec: TableSpec, write: Callable[[Snapshot], _Outcome]) -> Receipt:
        """Run ``write`` against the newest version until no one else commits in between.

        A table of an older release first gets the columns it lacks, in a commit of their own.
        """
        table = self._log(spec)
        self._require_writable(spec)
        try:
            for attempt in retrying().retry_context(
                on=Lost,
                attempts=ATTEMPTS,
                timeout=COMMIT_TIMEOUT,
                wait_initial=0.005,
                wait_max=0.5,
                wait_jitter=0.05,
            ):
                with attempt, table.lock:
                    before = table.open(heal=True)
                    receipt, after = write(table.add_missing(before))
                    if after.version > before.version:
                        self._tidy(spec, before.version, after)
        except Lost as error:
            raise WriteConflict(
                f"table {spec.name}: other writers won {ATTEMPTS} times or for {COMMIT_TIMEOUT:.0f} s; "
                "nothing was lost, run the partition again"
            ) from error
        return receipt

    def _upsert_once(
        self, spec: TableSpec, snapshot: Snapshot, frame: pl.DataFrame, *, replace: bool = True
    ) -> _Outcome:
        if frame.is_empty():
            return Receipt(0, 0, 0, snapshot.version), snapshot
        first, last = first_and_last(frame[spec.day])
        near = [f for f in snapshot.files if f.overlaps(first, last + dt.timedelta(days=1))]
        change = diff(spec, frame, self._with_origin(spec, near), replace=replace)
        if change.rows.is_empty():
            return Receipt(0, 0, change.unchanged, snapshot.version), snapshot
        replaced = [near[i] for i in change.touched]
        after = self._replace(spec, snapshot, replaced, change.rows.select(spec.key), change.rows)
        return Receipt(change.inserted, change.updated, change.unchanged, after.version), after

    def _delete_once(self, spec: TableSpec, snapshot: Snapshot, keys: pl.DataFrame) -> _Outcome:
        hit = self._with_origin(spec, snapshot.files).join(keys, on=list(spec.key), how="semi")
        if hit.is_empty():
            return Receipt(0, 0, keys.height, snapshot.version), snapshot
        replaced = [snapshot.files[i] for i in hit["file"].unique().sort()]
        after = self._replace(spec, snapshot, replaced, keys, spec.empty())
        return Receipt(0, hit.height, keys.height - hit.height, after.version), after

    def _replace(
        self,
        spec: TableSpec,
        snapshot: Snapshot,
        replaced: Sequence[DataFile],
        dropped: pl.DataFrame,
        rows: pl.DataFrame,
    ) -> Snapshot:
        """Replace files: their rows but those ``dropped`` stay, with ``rows`` added; one commit."""
        folder = self._folder(spec)
        if replaced:
            kept = folder.scan(replaced).collect().join(dropped, on=list(spec.key), how="anti")
            rows = pl.concat([kept, rows]).sort(sort_columns(spec))
        added = []
        for file, content in encode(spec, rows):
            folder.write(file.name, content)
            added.append((file, len(content)))
        return self._log(spec).commit(snapshot, added, replaced)

    def _with_origin(self, spec: TableSpec, files: Sequence[DataFile]) -> pl.DataFrame:
        """Return the rows of ``files`` with the place in ``files`` they came from as column ``file``."""
        folder = self._folder(spec)
        parts = [
            folder.scan([f]).with_columns(pl.lit(i, pl.Int64).alias("file")) for i, f in enumerate(files)
        ]
        empty = spec.empty().with_columns(pl.lit(0, pl.Int64).alias("file"))
        return pl.concat(parts).collect() if parts else empty
