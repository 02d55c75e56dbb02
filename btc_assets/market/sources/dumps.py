"""One file of Binance's public dumps: where it lies, and how it is verified before it is believed.

The dumps are zip files with one CSV of twelve columns each (milliseconds until 2024, microseconds from
2025; futures have a header row), with a ``.CHECKSUM`` (sha256sum format) beside each.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
import zipfile
from collections.abc import Sequence

from btc_assets.errors import BadCandle, SourceRefused
from btc_assets.market.anomalies import distinct
from btc_assets.market.calendar import DAILY, DAY, Interval
from btc_assets.market.kline import Kline
from btc_assets.market.sources.checksums import stated_sha256
from btc_assets.market.wire_format import COLUMNS, parse_row

_COPY_MARK = re.compile(r" ?\([0-9]{1,3}\)| - copy( \([0-9]{1,3}\))?", re.IGNORECASE)
"""What browsers and desktops put into the name of a second download or of a copy."""

LARGEST_CSV = 2**20
"""Bytes of an unpacked file; a month of daily candles is about 5 kB, of 4-hour bars 30 kB."""

_HEADER = [re.sub("[^a-z]", "", name) for name in COLUMNS[:7]]
"""How a header row begins, letters alone; tools differ in the names after that."""


def monthly(symbol: str, month: dt.date, interval: Interval = DAILY) -> str:
    """Path of the file with the candles of ``month`` (any day of it)."""
    name = interval.name
    return f"spot/monthly/klines/{symbol}/{name}/{symbol}-{name}-{month:%Y-%m}.zip"


def daily(symbol: str, day: dt.date, interval: Interval = DAILY) -> str:
    """Path of the file with the candles of ``day`` alone."""
    name = interval.name
    return f"spot/daily/klines/{symbol}/{name}/{symbol}-{name}-{day:%Y-%m-%d}.zip"


def plain_name(path: str) -> str:
    """Return the name that the file at ``path`` had at Binance's, before a browser or a desktop renamed it.

    Examples:
        >>> plain_name("Downloads/BTCUSDT-1d-2024-01 (1).zip.CHECKSUM.txt")
        'BTCUSDT-1d-2024-01.zip.CHECKSUM'
    """
    name = _COPY_MARK.sub("", path.rsplit("/", 1)[-1])
    return re.sub(r"(?i)(\.checksum)\.txt$", r"\1", name)


def next_month(day: dt.date) -> dt.date:
    """Return the first day of the month after ``day``'s."""
    return (day.replace(day=1) + 32 * DAY).replace(day=1)


def read_dump(
    path: str,
    packed: bytes,
    checksum: bytes,
    *,
    symbol: str,
    start: dt.date,
    end: dt.date,
    interval: Interval = DAILY,
) -> list[Kline]:
    """Return the candles of length ``interval`` in a dump of bytes ``packed``; all must lie in [start, end).

    A header row and blank lines are skipped.

    Raises:
        SourceRefused: the file does not hash to its checksum, is not the zip it should be, or holds no row.
        BadCandle: a row that cannot be true, lies outside the file's days, or contradicts another.
    """
    name = plain_name(path)
    _verify(path, name, packed, checksum)
    text = _unpack(path, name[: -len(".zip")] + ".csv", packed)
    try:
        rows = list(enumerate(csv.reader(io.StringIO(text)), start=1))
    except csv.Error as error:
        raise BadCandle(f"{path}: not lines of comma-separated values ({error})") from error
    rows = [(number, row) for number, row in rows if any(field.strip() for field in row)]
    if rows and len(rows[0][1]) == 1 and ";" in rows[0][1][0]:
        raise SourceRefused(f"{path}: separated by semicolons, as a spreadsheet saves it; download it again")
    if rows and _is_header(path, rows[0][1]):
        del rows[0]
    if not rows:
        raise SourceRefused(f"{path}: holds no candle; download it again, or remove it with its CHECKSUM")
    klines = [
        parse_row(row, symbol=symbol, source="archive", where=f"{path} line {number}", interval=interval)
        for number, row in rows
    ]
    for kline in klines:
        if not start <= kline.date < end:
            raise BadCandle(f"{path}: holds {kline.date}, which is not one of its days")
    return distinct(klines)


def _is_header(path: str, row: Sequence[str]) -> bool:
    """Tell whether ``row`` names columns; raise unless they are those that are expected."""
    names = [re.sub("[^a-z]", "", field.lower()) for field in row]
    if any(re.search("[0-9]", field) for field in row) or not all(names[: len(_HEADER)]):
        return False
    if names[: len(_HEADER)] != _HEADER:
        raise SourceRefused(f"{path}: its columns are {', '.join(row):.200}; expected {', '.join(COLUMNS)}")
    return True


def _verify(path: str, name: str, packed: bytes, checksum: bytes) -> None:
    """Raise unless ``packed`` hashes to the sha256 that ``checksum`` states for ``name``."""
    stated = stated_sha256(checksum, name)
    if stated is None:
        raise SourceRefused(f"{path}.CHECKSUM: not the sha256 of {name}; download both files again")
    if hashlib.sha256(packed).hexdigest() != stated:
        raise SourceRefused(f"{path}: does not hash to its CHECKSUM; it was not unpacked, download it again")


def _unpack(path: str, member: str, packed: bytes) -> str:
    """Return the text of the one CSV that may be in the zip, never more than `LARGEST_CSV` of it."""
    try:
        names, body = _contents(packed)
    except Exception as error:  # zipfile lets errors of a dozen kinds out of a damaged file
        raise SourceRefused(f"{path}: not a readable zip file ({error}); download it again") from error
    if len(names) != 1 or not _is_member(names[0], member):
        raise SourceRefused(f"{path}: holds {names[:3]!r:.200} instead of only {member}; not unpacked")
    if len(body) > LARGEST_CSV:
        raise SourceRefused(f"{path}: unpacks to more than {LARGEST_CSV >> 20} MiB; refused")
    try:
        return body.removeprefix(b"\xef\xbb\xbf").decode("ascii")
    except UnicodeDecodeError as error:
        why = f"{member} is not plain text, as an editor or a spreadsheet may save it ({error})"
        raise SourceRefused(f"{path}: {why}; download it again") from error


def _is_member(name: str, member: str) -> bool:
    """Tell whether the zip's file ``name`` is ``member``, perhaps in a folder, that leads nowhere else."""
    *folders, last = re.split(r"[/\\]", name)
    return last.casefold() == member.casefold() and not {"", ".."} & set(folders)


def _contents(packed: bytes) -> tuple[list[str], bytes]:
    """Return the names in the zip, without what a Mac or a folder adds, and the beginning of its first file.

    Only what Binance uses is unpacked: an LZMA member says itself how much memory unpacking it takes.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [name for name in archive.namelist() if not _is_litter(name)]
        if len(names) != 1:
            return names, b""
        method = archive.getinfo(names[0]).compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile(f"compression method {method} is not used by Binance")
        with archive.open(names[0]) as file:
            return names, file.read(LARGEST_CSV + 1)


def _is_litter(name: str) -> bool:
    """Tell whether a zip's entry is a folder, or what a desktop puts beside the files that it packs."""
    last = name.rsplit("/", 1)[-1]
    return (
        name.startswith("__MACOSX/")
        or last.startswith("._")
        or last in ("", ".DS_Store", "Thumbs.db", "desktop.ini")
    )
