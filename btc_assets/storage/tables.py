"""What every table backend offers. Above it: UTC, half-open windows, sorted reads, exact schemas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import StorageError, TableMissing


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a write did: rows that were new, that replaced other values, and that were there already.

    ``version`` is the table's version afterwards, as the backend counts.
    """

    inserted: int
    updated: int
    unchanged: int
    version: int


class RowReader(Protocol):
    """A table store, or the page's cache of one."""

    def read(
        self, spec: TableSpec, columns: list[str], start: dt.date | None, end: dt.date | None
    ) -> pl.DataFrame:
        """Return rows as `TableReader.read`."""


class TableReader(Protocol):
    """What verifying asks of a store: to read it."""

    def exists(self, spec: TableSpec) -> bool:
        """Return whether the table was ever created."""

    def read(
        self,
        spec: TableSpec,
        columns: Sequence[str] | None = None,
        start: dt.date | None = None,
        end: dt.date | None = None,
    ) -> pl.DataFrame:
        """Return rows with ``spec.day`` in [start, end), sorted by day, then key; all columns unless named.

        Raises:
            TableMissing: the table was never created.
            CorruptData: a stored file is damaged.
        """

    def version(self, spec: TableSpec) -> int:
        """Return the table's current version; grows by each change.

        Raises:
            TableMissing: the table was never created.
        """


class TableStore(TableReader, Protocol):
    """A keyed table store. Each method names the table by its contract."""

    def ensure_table(self, spec: TableSpec) -> None:
        """Create the table, empty, unless it exists; add the columns that only a newer contract has.

        Every write does so as well. Rows written before have null in such a column, before and after.

        Raises:
            StorageError: it exists with another schema: a column that the contract does not have, or has with
                another type, or without one of the key.
        """

    def upsert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Insert or replace rows by key, all or nothing; equal rows change nothing, not even the version.

        Raises:
            StorageError: schema differs from the contract, a key is null or twice in ``frame``.
            WriteConflict: other writers kept winning until the retries were spent.
        """

    def insert(self, spec: TableSpec, frame: pl.DataFrame) -> Receipt:
        """Add rows whose keys are new, all or nothing; a row that is there with equal values is no error.

        What decides between two writers: exactly one of two that insert the same key with other values wins.

        Raises:
            StorageError: as ``upsert``.
            WriteConflict: a key is there with other values; nothing was written.
        """

    def training_rows(self, spec: TableSpec, end: dt.date | None = None) -> pl.DataFrame:
        """Return the rows with ``spec.day`` before ``end`` as training reads them.

        They are those of `read`; a backend with a feature view reads them through it, so that the server
        knows what a model was trained on.
        """

    def delete_keys(self, spec: TableSpec, keys: pl.DataFrame) -> Receipt:
        """Delete the rows whose key is in ``keys`` (``updated`` counts them)."""

    def torn_entries(self, spec: TableSpec) -> list[str]:
        """Damage to the table's log that was worked around and that a person should look at."""


def read_pair(
    tables: RowReader,
    spec: TableSpec,
    symbol: str,
    columns: Sequence[str] | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
) -> pl.DataFrame:
    """Read the rows of ``symbol``, else as `TableReader.read`; none where the table was never created."""
    chosen = list(spec.schema.names() if columns is None else columns)
    try:
        rows = tables.read(spec, list(dict.fromkeys(["symbol", *chosen])), start, end)
    except TableMissing:
        rows = spec.empty()
    return rows.filter(symbol=symbol).select(chosen)


def conform(spec: TableSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with the contract's columns in the contract's order, sorted by day and key.

    Raises:
        StorageError: a column is missing, unknown or of another type; a key is null or repeated.
    """
    missing = [c for c in spec.schema.names() if c not in frame.columns]
    unknown = [c for c in frame.columns if c not in spec.schema]
    if missing or unknown:
        raise StorageError(f"table {spec.name}: columns missing {missing}, not in the contract {unknown}")
    frame = frame.select(spec.schema.names())
    wrong = [f"{n} is {frame.schema[n]}, not {t}" for n, t in spec.schema.items() if frame.schema[n] != t]
    if wrong:
        raise StorageError(f"table {spec.name}: {'; '.join(wrong)}")
    _refuse_nulls(spec, frame.select(sort_columns(spec)))
    keys = frame.select(spec.key)
    twice = keys.is_duplicated()
    if twice.any():
        raise StorageError(
            f"table {spec.name}: key twice in one write: {keys.filter(twice).row(0, named=True)}"
        )
    return frame.sort(sort_columns(spec))


def columns_to_add(
    spec: TableSpec, what: str, there: Mapping[str, str], wanted: Mapping[str, str], remedy: str
) -> list[str]:
    """Return the columns of the contract that ``what``, which an older release made, does not have yet.

    Args:
        there: its columns and their types, as the backend names types.
        wanted: the same of the contract.
        remedy: what to do about another difference.

    Raises:
        StorageError: there is another difference.
    """
    missing = [name for name in wanted if name not in there]
    if there.items() <= wanted.items() and not {*spec.key, spec.day} & set(missing):
        return missing
    if there.items() > wanted.items():
        # What this release does not know it would drop from every row it writes again.
        remedy = "It was written by a newer release: update this one"
    differ = sorted(dict(there.items() ^ wanted.items()))
    raise StorageError(f"{what} exists with another schema; columns that differ: {differ}. {remedy}")


def chosen_columns(spec: TableSpec, columns: Sequence[str] | None) -> list[str]:
    """Return the columns of a read: those named, or all.

    Raises:
        StorageError: the table has no such column.
    """
    chosen = list(spec.schema.names() if columns is None else columns)
    unknown = [c for c in chosen if c not in spec.schema]
    if unknown:
        raise StorageError(f"table {spec.name} has no columns {unknown}; it has {spec.schema.names()}")
    return chosen


def conform_keys(spec: TableSpec, keys: pl.DataFrame) -> pl.DataFrame:
    """Return ``keys`` with exactly the key columns, each key once.

    Raises:
        StorageError: a key column is missing, of another type, or null.
    """
    wanted = {name: spec.schema[name] for name in spec.key}
    there = {name: keys.schema.get(name) for name in spec.key}
    if there != wanted:
        raise StorageError(f"table {spec.name}: keys to delete need columns {wanted}, got {there}")
    keys = keys.select(spec.key)
    _refuse_nulls(spec, keys)
    return keys.unique()


def _refuse_nulls(spec: TableSpec, keys: pl.DataFrame) -> None:
    if any(keys.null_count().row(0)):
        raise StorageError(f"table {spec.name}: null in the key or day columns {keys.columns}")


def sort_columns(spec: TableSpec) -> list[str]:
    """Return the order of every read: day first, then the rest of the key."""
    return [spec.day, *(k for k in spec.key if k != spec.day)]
