"""Write the transaction log of one Delta table: create it, commit against a version, tidy up."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from btc_assets.errors import StorageError
from btc_assets.io.files import sync
from btc_assets.storage.delta.checkpoints import Checkpoints
from btc_assets.storage.delta.data_files import DataFile
from btc_assets.storage.delta.log_entries import ENTRY, vouching_for
from btc_assets.storage.delta.log_reader import LogReader, Snapshot, file_order, first_line
from btc_assets.storage.delta.schema import delta_schema
from btc_assets.storage.delta.vacuum import vacuum

log = logging.getLogger(__name__)


class Lost(Exception):
    """Another writer committed first."""


class DeltaLog(LogReader):
    """The log of a table, to read and to write."""

    def create(self) -> None:
        """Create the table without rows; another process doing so at once is fine."""
        try:
            DeltaTable.create(
                self.uri,
                schema=delta_schema(self.spec),
                mode="ignore",
                name=self.spec.name,
                description=self.spec.meaning,
                # The log is the table's history: versions stay readable for ever.
                configuration={"delta.enableExpiredLogCleanup": "false"},
                storage_options=self.options,
                commit_properties=vouching_for(()),
            )
        except CommitFailedError:
            if not self.exists():
                raise
        except (DeltaError, OSError) as error:
            raise StorageError(
                f"cannot create table {self.spec.name} at {self.uri}: {first_line(error)}"
            ) from error

    def tidy(self) -> None:
        """Write down the state of the newest version, so that readers need not replay the log; vacuum."""
        table = self.open().table
        if self.folder is None:
            table.create_checkpoint()
        else:
            Checkpoints(self.folder).write(table)
            vacuum(self.folder, data_files=not self.spec.irreplaceable)

    def commit(
        self, snapshot: Snapshot, added: Sequence[tuple[DataFile, int]], removed: Sequence[DataFile]
    ) -> Snapshot:
        """Replace files of ``snapshot`` by new ones, whose bytes are stored already; return what it became.

        Raises:
            Lost: the table is no longer at ``snapshot``; nothing was changed.
            StorageError: the log cannot be written; nothing was changed.
        """
        now = time.time_ns() // 1_000_000
        left = {*snapshot.files, *(f for f, _ in added)} - set(removed)
        actions: list[AddAction | RemoveAction] = [
            AddAction(f.name, size, {}, now, data_change=True, stats=self._statistics(f)) for f, size in added
        ]
        actions += [RemoveAction(f.name, True, now, None, {}) for f in removed]
        with self._committing(snapshot.version + 1):
            snapshot.table.create_write_transaction(
                actions,
                "append",
                delta_schema(self.spec),
                commit_properties=vouching_for({f.name for f in left}),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=False),
            )
        return replace(snapshot, version=snapshot.version + 1, files=tuple(sorted(left, key=file_order)))

    def add_missing(self, snapshot: Snapshot) -> Snapshot:
        """Add the columns that ``snapshot`` lacks, if any, by a commit, which raises as ``commit``."""
        if not snapshot.missing:
            return snapshot
        fields = [field for field in delta_schema(self.spec).fields if field.name in snapshot.missing]
        with self._committing(snapshot.version + 1):
            snapshot.table.alter.add_columns(
                fields,
                commit_properties=vouching_for({f.name for f in snapshot.files}),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=False),
            )
        log.info("table %s: added the new columns %s", self.spec.name, list(snapshot.missing))
        return replace(snapshot, version=snapshot.version + 1, missing=())

    @contextmanager
    def _committing(self, version: int) -> Iterator[None]:
        """Say in our words why the commit of ``version`` failed; if it did not, make it durable."""
        try:
            yield
        except CommitFailedError as error:
            raise Lost(str(error)) from error
        except (DeltaError, OSError) as error:
            raise StorageError(
                f"cannot commit to table {self.spec.name} at {self.uri}: {first_line(error)}; it is unchanged"
            ) from error
        self._make_durable(version)

    def _make_durable(self, version: int) -> None:
        if self.folder is not None:
            sync(self.folder / ENTRY.format(version))

    def _statistics(self, file: DataFile) -> str:
        day = self.spec.day
        return json.dumps(
            {
                "numRecords": file.rows,
                "minValues": {day: str(file.first)},
                "maxValues": {day: str(file.last)},
                "nullCount": {day: 0},
            }
        )
