"""Encode rows as the one byte string that equal rows share, and hash it; docs/ledger.md says how.

A table's bytes are a header, ``name NEWLINE columns joined by spaces NEWLINE``, then its rows in order. Each
cell is 8 bytes, big-endian: a float is its IEEE-754 double, a date the days since 1970-01-01, an instant the
microseconds since then, an integer or boolean itself. Text is UTF-8 in 24 bytes, zeros behind. A missing
float is eight bytes of FF, which no computation yields; NaN is 7FF8000000000000. Nothing else may be missing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import FORECASTS
from btc_assets.errors import LedgerError
from btc_assets.series import Series

TEXT_BYTES = 24
FORECAST_COLUMNS = [c for c in FORECASTS.schema.names() if c != "issued_at"]
"""What the hash of a forecast covers; the record itself says when it was issued."""

_ROWS_AT_ONCE = 4096
"""Rows that are put together at once: what fits into a processor's cache takes a third of the time."""

_MISSING = -1
_NAN = np.float64("nan")


def forecast_digests(forecasts: pl.DataFrame) -> dict[dt.date, str]:
    """Hash (SHA-256) each origin's rows of one symbol, ordered by model, then horizon.

    Args:
        forecasts: rows of the contract FORECASTS, in any order; when they were issued is not hashed.

    >>> rows = pl.DataFrame({name: [1.0] for name in FORECAST_COLUMNS}).with_columns(
    ...     symbol=pl.lit("BTCUSDT"), model=pl.lit("mlp"), horizon=pl.lit(1, pl.Int16),
    ...     **{day: pl.lit(dt.date(2024, 1, 12)) for day in ("origin_date", "target_date", "vintage")},
    ... )
    >>> hashes = forecast_digests(rows)
    >>> {origin: digest[:16] for origin, digest in hashes.items()}
    {datetime.date(2024, 1, 12): '433da6f2be5fec06'}
    >>> forecast_digests(rows.with_columns(q500=1.0000000001)) == hashes
    False
    """
    rows = forecasts.select(FORECAST_COLUMNS).sort("origin_date", "model", "horizon")
    header, cells = _header("forecasts", rows), encode(rows)
    return {
        day: hashlib.sha256(header + cells[a:b].tobytes()).hexdigest()
        for day, a, b in _runs(rows["origin_date"])
    }


def hash_rows(name: str, rows: pl.DataFrame) -> str:
    """Hash (SHA-256) ``rows`` of the table ``name``, in the order in which they are."""
    return hashlib.sha256(_header(name, rows) + encode(rows).tobytes()).hexdigest()


def series_digests(series: Series, rows: pl.DataFrame, origins: Iterable[dt.date]) -> dict[dt.date, str]:
    """Hash, for each origin, all rows of one symbol up to and including it: what the market said.

    Who brought a row and when is not covered (``series.PROVENANCE``).
    """
    return prefix_digests(series.name, rows.select(series.content).sort(series.order), origins)


def feature_digests(
    features: pl.DataFrame, origins: Iterable[dt.date], without: Collection[str] = ()
) -> dict[dt.date, str]:
    """Hash, for each origin, one symbol's features up to and including it, but the columns ``without``."""
    return prefix_digests("features", features.drop(without), origins)


def prefix_digests(name: str, rows: pl.DataFrame, origins: Iterable[dt.date]) -> dict[dt.date, str]:
    """Hash (SHA-256), for each origin, the rows whose ``date`` is not after it, ordered by date.

    A hash can be continued after it was read, so all origins together cost one pass.

    Args:
        name: the table's name, part of what is hashed.
        rows: several of one ``date`` count in the order in which they come.
        origins: any days, in any order.
    """
    rows = rows.sort("date", maintain_order=True)
    cells, dates = encode(rows), rows["date"].to_numpy()
    running, at = hashlib.sha256(_header(name, rows)), 0
    found = {}
    ordered = sorted(set(origins))
    ends = np.searchsorted(dates, np.array(ordered, dtype="datetime64[D]"), side="right")
    for origin, until in zip(ordered, ends.tolist(), strict=True):
        running.update(cells[at:until].tobytes())
        at = until
        found[origin] = running.copy().hexdigest()
    return found


def encode(rows: pl.DataFrame) -> NDArray[np.uint8]:
    """Encode the cells of ``rows`` as bytes, shape (rows, bytes a row).

    Raises:
        LedgerError: a type that has no encoding, a missing value that is not a float, or too long a text.
    """
    arrays = {column.name: _cells(column) for column in rows.get_columns()}
    table = np.empty(
        rows.height, dtype=[(name, array.dtype.newbyteorder(">")) for name, array in arrays.items()]
    )
    for at in range(0, rows.height, _ROWS_AT_ONCE):
        for name, array in arrays.items():
            table[name][at : at + _ROWS_AT_ONCE] = array[at : at + _ROWS_AT_ONCE]
    return table.view(np.uint8).reshape(rows.height, table.dtype.itemsize)


def _cells(column: pl.Series) -> NDArray[Any]:
    """Return one column as integers of 64 bits, those of a float being its own, or as texts."""
    dtype = column.dtype
    if dtype.is_float():
        return _floats(column)
    if column.null_count():
        raise LedgerError(f"column {column.name} has {column.null_count()} missing values; it may have none")
    if dtype == pl.String:
        return _texts(column)
    if dtype == pl.Date or dtype.is_integer() or dtype == pl.Boolean:
        return column.cast(pl.Int64).to_numpy()
    if isinstance(dtype, pl.Datetime):
        return column.dt.epoch("us").to_numpy()
    raise LedgerError(f"column {column.name} is {dtype}, which the ledger has no encoding for")


def _floats(column: pl.Series) -> NDArray[Any]:
    values = np.array(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
    values[np.isnan(values)] = _NAN
    if column.null_count():
        values.view(np.int64)[column.is_null().to_numpy()] = _MISSING
    return values.view(np.int64)  # a conversion by value might alter the bits of a NaN


def _texts(column: pl.Series) -> NDArray[Any]:
    """Encode each distinct text once: there are few."""
    distinct = column.unique().sort()
    encoded = [text.encode() for text in distinct]
    for text in encoded:
        if len(text) > TEXT_BYTES or b"\0" in text:
            raise LedgerError(f"column {column.name}: {text!r} is no text of at most {TEXT_BYTES} bytes")
    table = np.array(encoded, dtype=f"S{TEXT_BYTES}")
    return np.asarray(table[distinct.search_sorted(column).to_numpy()])


def _header(name: str, rows: pl.DataFrame) -> bytes:
    return f"{name}\n{' '.join(rows.columns)}\n".encode()


def _runs(days: pl.Series) -> Iterator[tuple[dt.date, int, int]]:
    """Return each distinct day of a sorted column with the half-open range of its rows."""
    if days.is_empty():
        return
    starts = [0, *(days.ne(days.shift(1)).fill_null(value=False).arg_true()), len(days)]
    for start, end in pairwise(starts):
        yield days[start], start, end
