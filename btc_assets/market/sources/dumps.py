"""One file of Binance's public dumps: where it lies, and how it is verified before it is believed.

The dumps are zip files with one headerless CSV of twelve columns each (milliseconds until 2024,
microseconds from 2025), with a ``.CHECKSUM`` (sha256sum format) beside each.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import zipfile

from btc_assets.errors import BadCandle, SourceRefused
from btc_assets.market.anomalies import distinct
from btc_assets.market.calendar import DAILY, DAY, Interval
from btc_assets.market.kline import Kline
from btc_assets.market.wire_format import parse_row

LARGEST_CSV = 2**20
"""Bytes of an unpacked file; a month of daily candles is about 5 kB, of 4-hour bars 30 kB."""


def monthly(symbol: str, month: dt.date, interval: Interval = DAILY) -> str:
    """Path of the file with the candles of ``month`` (any day of it)."""
    name = interval.name
    return f"spot/monthly/klines/{symbol}/{name}/{symbol}-{name}-{month:%Y-%m}.zip"


def daily(symbol: str, day: dt.date, interval: Interval = DAILY) -> str:
    """Path of the file with the candles of ``day`` alone."""
    name = interval.name
    return f"spot/daily/klines/{symbol}/{name}/{symbol}-{name}-{day:%Y-%m-%d}.zip"


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

    Raises:
        SourceRefused: the file does not hash to its checksum, or is not the zip it should be.
        BadCandle: a row that cannot be true, lies outside the file's days, or contradicts another.
    """
    name = path.rsplit("/", 1)[-1]
    _verify(path, name, packed, checksum)
    text = _unpack(path, name.removesuffix(".zip") + ".csv", packed)
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise BadCandle(f"{path}: not lines of comma-separated values ({error})") from error
    klines = [
        parse_row(row, symbol=symbol, source="archive", where=f"{path} line {number}", interval=interval)
        for number, row in enumerate(rows, start=1)
    ]
    for kline in klines:
        if not start <= kline.date < end:
            raise BadCandle(f"{path}: holds {kline.date}, which is not one of its days")
    return distinct(klines)


def _verify(path: str, name: str, packed: bytes, checksum: bytes) -> None:
    """Raise unless ``packed`` hashes to the sha256 that ``checksum`` states for ``name``."""
    fields = checksum[:1024].decode("ascii", "replace").split()
    if len(fields) != 2 or fields[1].lstrip("*") != name or len(fields[0]) != 64:
        raise SourceRefused(f"{path}.CHECKSUM: not the sha256 of {name}; download both files again")
    if hashlib.sha256(packed).hexdigest() != fields[0].lower():
        raise SourceRefused(f"{path}: does not hash to its CHECKSUM; it was not unpacked, download it again")


def _unpack(path: str, member: str, packed: bytes) -> str:
    """Return the text of the one file that may be in the zip, never more than `LARGEST_CSV` of it."""
    try:
        names, body = _contents(packed)
    except Exception as error:  # zipfile lets errors of a dozen kinds out of a damaged file
        raise SourceRefused(f"{path}: not a readable zip file ({error}); download it again") from error
    if names != [member]:
        raise SourceRefused(f"{path}: holds {names[:3]!r:.200} instead of only {member}; not unpacked")
    if len(body) > LARGEST_CSV:
        raise SourceRefused(f"{path}: unpacks to more than {LARGEST_CSV >> 20} MiB; refused")
    try:
        return body.decode("ascii")
    except UnicodeDecodeError as error:
        raise SourceRefused(f"{path}: {member} is not plain text ({error})") from error


def _contents(packed: bytes) -> tuple[list[str], bytes]:
    """Return the names in the zip, and the beginning of its first file.

    Only what Binance uses is unpacked: an LZMA member says itself how much memory unpacking it takes.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = archive.namelist()
        if len(names) != 1:
            return names, b""
        method = archive.infolist()[0].compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile(f"compression method {method} is not used by Binance")
        with archive.open(names[0]) as file:
            return names, file.read(LARGEST_CSV + 1)
