"""The transaction log of one Delta table: open a version, commit against it, see that nothing is torn.

Every commit of this store says in its own entry which files the table then has, as one hash. A log that
lost or gained an entry, or whose entries were altered, no longer agrees with it and is not believed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import Field, PrimitiveType
from deltalake.transaction import AddAction, RemoveAction

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData, StorageError, TableMissing
from btc_assets.storage.data_files import DataFile

log = logging.getLogger(__name__)

_TYPES: dict[Any, str] = {
    pl.String(): "string",
    pl.Date(): "date",
    pl.Boolean(): "boolean",
    pl.Int16(): "short",
    pl.Int32(): "integer",
    pl.Int64(): "long",
    pl.Float32(): "float",
    pl.Float64(): "double",
    pl.Datetime("us", "UTC"): "timestamp",
}
_FILES = "btcFiles"


class Lost(Exception):  # noqa: N818 - an outcome, not an error: the caller reads again and retries
    """Another writer committed first."""


@dataclass(frozen=True)
class Snapshot:
    """One version of a table and the files that make it up."""

    table: DeltaTable
    version: int
    files: tuple[DataFile, ...]


def delta_schema(spec: TableSpec) -> Schema:
    """The contract as a Delta schema, with each column's meaning as its comment.

    Raises:
        StorageError: a column type that Delta cannot hold exactly.
    """
    fields = []
    for column in spec.columns:
        name = _TYPES.get(pl.Schema({"c": column.dtype})["c"])
        if name is None:
            raise StorageError(
                f"table {spec.name}: column {column.name} has type {column.dtype}, not storable"
            )
        fields.append(Field(column.name, PrimitiveType(name), metadata={"comment": column.meaning}))
    return Schema(fields)


class DeltaLog:
    """The log of the table at ``uri``."""

    def __init__(self, spec: TableSpec, uri: str, storage_options: dict[str, str]) -> None:
        self.spec = spec
        self.uri = uri
        self.options = storage_options

    def exists(self) -> bool:
        """Whether the table was created."""
        try:
            return DeltaTable.is_deltatable(self.uri, storage_options=self.options)
        except OSError as error:
            raise StorageError(f"cannot look for table {self.spec.name} at {self.uri}: {error}") from error

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
                commit_properties=CommitProperties(custom_metadata={_FILES: _digest(())}),
            )
        except CommitFailedError:
            if not self.exists():
                raise
        except (DeltaError, OSError) as error:
            raise StorageError(f"cannot create table {self.spec.name} at {self.uri}: {error}") from error

    def open(self, version: int | None = None) -> Snapshot:
        """The table as of ``version``, or now.

        Raises:
            TableMissing: never created.
            StorageError: there is no such version, or its schema is not the contract's.
            CorruptData: the log cannot be read, or does not agree with itself.
        """
        try:
            table = DeltaTable(self.uri, version=version, storage_options=self.options)
        except TableNotFoundError as error:
            raise TableMissing(
                f"table {self.spec.name} was never written; materialise its asset first ({self.uri})"
            ) from error
        except (DeltaError, OSError, ValueError) as error:
            raise CorruptData(f"the log of table {self.spec.name} cannot be read: {error}") from error
        self._check_schema(table)
        names = [uri.rpartition("/")[2] for uri in table.file_uris()]
        said = table.history(1)[0].get(_FILES)
        if said != _digest(names):
            raise CorruptData(
                f"the log of table {self.spec.name} ({self.uri}/_delta_log) does not agree with itself at "
                f"version {table.version()}: an entry was altered or lost; restore it from a copy"
            )
        return Snapshot(table, table.version(), tuple(sorted(map(DataFile.parse, names), key=_order)))

    def commit(
        self, snapshot: Snapshot, added: Sequence[tuple[DataFile, int]], removed: Sequence[DataFile]
    ) -> int:
        """Replace files of ``snapshot`` by new ones, whose bytes are stored already; return the new version.

        Raises:
            Lost: the table is no longer at ``snapshot``; nothing was changed.
            StorageError: the log cannot be written; nothing was changed.
        """
        now = time.time_ns() // 1_000_000
        left = {f.name for f in snapshot.files} - {f.name for f in removed} | {f.name for f, _ in added}
        actions: list[AddAction | RemoveAction] = [
            AddAction(f.name, size, {}, now, data_change=True, stats=self._statistics(f)) for f, size in added
        ]
        actions += [RemoveAction(f.name, True, now, None, {}) for f in removed]
        try:
            snapshot.table.create_write_transaction(
                actions,
                "append",
                delta_schema(self.spec),
                # No retries inside: a commit stands on the very version that was read, or does not happen.
                commit_properties=CommitProperties({_FILES: _digest(left)}, max_commit_retries=0),
                post_commithook_properties=PostCommitHookProperties(create_checkpoint=False),
            )
        except CommitFailedError as error:
            raise Lost(str(error)) from error
        except (DeltaError, OSError) as error:
            raise StorageError(
                f"cannot commit to table {self.spec.name} at {self.uri}: {error}; it is unchanged"
            ) from error
        return snapshot.version + 1

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

    def _check_schema(self, table: DeltaTable) -> None:
        def shape(schema: Schema) -> dict[str, str]:
            return {field.name: str(field.type) for field in schema.fields}

        there, wanted = shape(table.schema()), shape(delta_schema(self.spec))
        if there != wanted:
            differ = sorted(dict(there.items() ^ wanted.items()))
            raise StorageError(
                f"table {self.spec.name} exists with another schema; columns that differ: {differ}. "
                f"Move {self.uri} away and materialise its asset again"
            )


def _digest(names: Sequence[str] | set[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _order(file: DataFile) -> tuple[Any, ...]:
    return file.first, file.last, file.name
