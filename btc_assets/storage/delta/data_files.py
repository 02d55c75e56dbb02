"""The Parquet files of a table: named by what they hold, hashed before they are decoded, never changed.

A file is called ``FIRST_LAST_ROWS_NONCE_SHA256.parquet``. The transaction log commits names, so the hash
of every file is committed with the file itself: there is no moment in which a file has no known hash,
and the days that a read may skip do not hang on statistics that a flipped bit could falsify.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import CorruptData, StorageError
from btc_assets.io.files import file_sha256, fingerprint, write_atomically

MAX_ROWS = 65_536
"""Rows in one file at most: what one changed row can cost in rewriting."""

_NAME = re.compile(
    r"(?P<first>\d{4}-\d\d-\d\d)_(?P<last>\d{4}-\d\d-\d\d)_(?P<rows>\d+)_[0-9a-f]{8}_(?P<sha>[0-9a-f]{64})\.parquet",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One immutable Parquet file: its name and what the name says."""

    name: str
    first: dt.date
    last: dt.date
    rows: int
    sha256: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the file called ``name``.

        Raises:
            CorruptData: not a name this store gives.
        """
        match = _NAME.fullmatch(name)
        try:
            if match is not None:
                first, last = (dt.date.fromisoformat(match[part]) for part in ("first", "last"))
                return cls(name, first, last, int(match["rows"]), match["sha"])
        except ValueError:  # a day or a number that there is not
            pass
        raise CorruptData(f"{name} is not a data file that this store wrote; {REMEDY}")

    def overlaps(self, start: dt.date | None, end: dt.date | None) -> bool:
        """Return whether a row with a day in [start, end) can be in it."""
        return (start is None or self.last >= start) and (end is None or self.first < end)


REMEDY = (
    "restore the file from a backup; or, but only of features, baselines or scores, delete the table's "
    "folder and materialise its asset again"
)
"""Candles would be fetched again, but not what was known when; records and forecasts would be lost."""


def names_in(text: str) -> Iterator[str]:
    """Return the data files that ``text``, such as an entry of the transaction log, mentions."""
    return (match[0] for match in _NAME.finditer(text))


def first_and_last(days: pl.Series) -> tuple[dt.date, dt.date]:
    """Return the smallest and the largest of ``days``, which are dates and not empty."""
    first, last = days.min(), days.max()
    assert isinstance(first, dt.date)
    assert isinstance(last, dt.date)
    return first, last


def encode(spec: TableSpec, frame: pl.DataFrame) -> Iterator[tuple[DataFile, bytes]]:
    """Return ``frame``, sorted, as files of at most ``MAX_ROWS`` rows each."""
    for rows in frame.iter_slices(MAX_ROWS):
        buffer = io.BytesIO()
        rows.write_parquet(buffer, compression="zstd", compression_level=3, statistics=True)
        content = buffer.getvalue()
        first, last = first_and_last(rows[spec.day])
        sha = hashlib.sha256(content).hexdigest()
        name = f"{first}_{last}_{rows.height}_{secrets.token_hex(4)}_{sha}.parquet"
        yield DataFile.parse(name), content


class LocalFolder:
    """Files on this machine's disk.

    Args:
        spec: the contract; a column that a file lacks, for an older release wrote it, is null.
    """

    _verified: ClassVar[dict[Path, tuple[int, int, int]]] = {}
    """Files that this process has seen to be what their names say, by size, time of change and inode."""

    def __init__(self, path: Path, spec: TableSpec) -> None:
        self.path = path
        self.spec = spec

    def write(self, name: str, content: bytes) -> None:
        """Store ``content``, all or nothing; a full or read-only disk leaves nothing behind."""
        try:
            write_atomically(self.path / name, content)
        except OSError as error:
            raise StorageError(
                f"cannot write to {self.path}: {error.strerror}; the table is unchanged"
            ) from error

    def scan(self, files: Sequence[DataFile]) -> pl.LazyFrame:
        """Return the rows of ``files``, one or more; a file is hashed before it is decoded and once touched.

        Raises:
            CorruptData: a file is missing or does not hash to its name.
        """
        paths = [self._verify(file) for file in files]
        return pl.scan_parquet(
            paths, glob=False, schema=self.spec.schema, missing_columns="insert", use_statistics=False
        )

    def _verify(self, file: DataFile) -> Path:
        path = self.path / file.name
        try:
            seen = fingerprint(path)
            if self._verified.get(path) == seen:
                return path
            sha = file_sha256(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EIO):
                raise CorruptData(f"{path} cannot be read ({error.strerror}); {REMEDY}") from error
            raise StorageError(
                f"{path} cannot be read ({error.strerror}); its table is not damaged"
            ) from error
        if sha != file.sha256:
            raise CorruptData(f"{path} is damaged: its bytes hash to {sha}; {REMEDY}")
        self._compare_with_name(path, file)
        self._verified[path] = seen
        return path

    def _compare_with_name(self, path: Path, file: DataFile) -> None:
        """Refuse a file whose rows are not of the days that its name says: some reads would leave it out."""
        scan = pl.scan_parquet(path, glob=False, use_statistics=False)
        days = scan.select(self.spec.day).collect().to_series()
        if len(days) != file.rows or days.null_count() or first_and_last(days) != (file.first, file.last):
            raise CorruptData(f"{path} holds other days than its name says, or more or fewer rows; {REMEDY}")
