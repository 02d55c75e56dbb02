"""What a write changes: the given rows against the stored ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import WriteConflict

_OLD = ":old"


@dataclass(frozen=True)
class Change:
    """The rows that a write adds or replaces, and how many of each there are.

    ``touched`` are the values of the stored rows' column ``file`` that hold a replaced row.
    """

    rows: pl.DataFrame
    inserted: int
    updated: int
    unchanged: int
    touched: tuple[int, ...]


def diff(spec: TableSpec, frame: pl.DataFrame, stored: pl.DataFrame, *, replace: bool) -> Change:
    """Compare ``frame`` with the ``stored`` rows (which have a column ``file`` as well) by key.

    Two values are equal if both are null, both are NaN, or they compare equal.

    Raises:
        WriteConflict: rows are there with other values, and may not be replaced.
    """
    values = [c for c in spec.schema.names() if c not in spec.key]
    both = frame.join(stored, on=list(spec.key), how="left", suffix=_OLD, maintain_order="left")
    found = both["file"].is_not_null()
    equal = pl.all_horizontal(pl.lit(True), *(pl.col(c).eq_missing(pl.col(c + _OLD)) for c in values))
    same = both.select(found & equal).to_series()
    updated = found & ~same
    if updated.any() and not replace:
        raise WriteConflict(
            f"table {spec.name}: {updated.sum()} of {frame.height} rows are there with other values; another "
            "writer was first. Nothing was written"
        )
    touched = tuple(both.filter(updated)["file"].unique().sort())
    inserted = int((~found).sum())
    return Change(frame.filter(~same), inserted, int(updated.sum()), int(same.sum()), touched)


def select_window(rows: pl.LazyFrame, day: str, start: dt.date | None, end: dt.date | None) -> pl.LazyFrame:
    """Return the rows with ``day`` in [start, end)."""
    if start is not None:
        rows = rows.filter(pl.col(day) >= start)
    if end is not None:
        rows = rows.filter(pl.col(day) < end)
    return rows


def in_order(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Sort by ``columns``, which have no nulls, where need be: files are sorted, and most follow each other.

    To look takes a quarter of the time of sorting.
    """
    return rows if rows.select(pl.struct(columns)).to_series().is_sorted() else rows.sort(columns)
