"""Copying tables and models from one store to another: resumable, and verified on both sides.

A table is copied year by year, each year one upsert, so a run that was cut short goes on where it stopped:
years that are equal already cost one read and no write.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData, StorageError
from btc_assets.storage.delta.data_files import first_and_last
from btc_assets.storage.registry.protocol import ModelRegistry
from btc_assets.storage.tables import TableStore, sort_columns


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was copied: ``done`` of ``total`` rows or models of ``what``; ``written`` were new."""

    what: str
    done: int
    total: int
    written: int


Progress = Callable[[Step], None]


def migrate(
    src_tables: TableStore,
    dst_tables: TableStore,
    src_registry: ModelRegistry,
    dst_registry: ModelRegistry,
    progress: Progress,
    specs: Sequence[TableSpec],
    names: Iterable[str],
) -> None:
    """Copy the tables ``specs`` and all vintages of the models ``names``; nothing at the source changes.

    Raises:
        StorageError: the destination holds rows that the source does not have, or another model under a
            vintage's name; or a copy does not read back as what was copied.
    """
    for spec in specs:
        if src_tables.exists(spec):
            copy_table(src_tables, dst_tables, spec, progress)
    for name in names:
        copy_models(src_registry, dst_registry, name, progress)


def copy_table(src: TableStore, dst: TableStore, spec: TableSpec, progress: Progress) -> None:
    """Copy one table and compare row counts and content hashes of both sides; raises as ``migrate``."""
    dst.ensure_table(spec)
    days = src.read(spec, columns=[spec.day])
    total, done = days.height, 0
    for start, end in _years(days[spec.day]):
        rows = src.read(spec, start=start, end=end)
        receipt = dst.upsert(spec, rows)
        _check_copy(spec, rows, dst.read(spec, start=start, end=end), f"between {start} and {end}")
        done += rows.height
        progress(Step(spec.name, done, total, receipt.inserted + receipt.updated))
    there = dst.read(spec, columns=[spec.day]).height
    if there != total:
        raise StorageError(
            f"table {spec.name}: the destination has {there} rows, the source {total}; it holds rows of its "
            "own. Migrate into an empty store"
        )


def copy_models(src: ModelRegistry, dst: ModelRegistry, name: str, progress: Progress) -> None:
    """Copy every vintage of ``name``, verified by its manifest when read back; raises as ``migrate``."""
    refs = src.versions(name)
    for done, ref in enumerate(refs, start=1):
        there = dst.get(name, ref.vintage)
        if there is None:
            copied = dst.publish(name, ref.vintage, src.model_folder(ref))
            dst.model_folder(copied)
        elif there.manifest_sha256 != ref.manifest_sha256:
            raise StorageError(
                f"model {name} {ref.vintage}: the destination has another model under this name "
                f"({there.manifest_sha256[:12]}, not {ref.manifest_sha256[:12]})"
            )
        progress(Step(f"model {name}", done, len(refs), int(there is None)))


def content_sha256(spec: TableSpec, rows: pl.DataFrame) -> str:
    """Hash of the values of ``rows`` in the contract's order: the same in every store.

    Each column is hashed as its name and type, where its nulls are, and its values' bytes, little-endian.
    """
    ordered = rows.select(spec.schema.names()).sort(sort_columns(spec)).rechunk()
    sha = hashlib.sha256()
    for column in ordered.iter_columns():
        sha.update(f"{column.name}:{column.dtype}:{column.len()}\n".encode())
        sha.update(column.is_null().to_numpy().tobytes())
        if column.dtype == pl.String:
            text = column.fill_null("")
            sha.update(text.str.len_bytes().to_numpy().tobytes())
            sha.update("".join(text).encode())
        else:
            sha.update(column.to_physical().fill_null(strategy="zero").to_numpy().tobytes())
    return sha.hexdigest()


def _check_copy(spec: TableSpec, copied: pl.DataFrame, found: pl.DataFrame, where: str) -> None:
    if found.height != copied.height:
        raise StorageError(
            f"table {spec.name}: {found.height} rows {where} in the destination, {copied.height} in the "
            "source; it holds rows of its own. Migrate into an empty store"
        )
    if content_sha256(spec, found) != content_sha256(spec, copied):
        raise CorruptData(f"table {spec.name}: the rows {where} read back differ from those copied")


def _years(days: pl.Series) -> Iterator[tuple[dt.date, dt.date]]:
    """Return the half-open calendar years that ``days`` lie in."""
    if days.is_empty():
        return
    first, last = first_and_last(days)
    for year in range(first.year, last.year + 1):
        yield dt.date(year, 1, 1), dt.date(year + 1, 1, 1)
