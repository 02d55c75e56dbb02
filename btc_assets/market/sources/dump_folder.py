"""Dumps in a folder, found by their names wherever below it they lie.

The download script puts them into folders of ranges, and a person may name the folder above or below the one
that holds ``spot``. Other markets and other kinds of candles, whose files have the same names, are left out.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from btc_assets.errors import ConfigurationError, SourceRefused, SourceUnavailable
from btc_assets.market.calendar import DAILY
from btc_assets.market.sources.dumps import LARGEST_CSV, plain_name

log = logging.getLogger(__name__)

_OTHERS = {
    "futures",
    "option",
    "indexpriceklines",
    "markpriceklines",
    "premiumindexklines",
    "trades",
    "aggtrades",
    "um",
    "cm",
}
"""Folders of Binance's dumps that hold something else than candles of the spot market."""
_SYSTEMS = {"lost+found", "system volume information", "$recycle.bin"}
"""Folders that a file system has for itself, and that nobody else may read."""
_PAIR = re.compile(r"[A-Z0-9]{5,20}", re.ASCII)
_DUMP = re.compile(
    r"([A-Z0-9]{5,20}-[0-9]+[a-z])-(\d{4})-(\d{2})(?:-(\d{2}))?\.(zip|csv)(\.checksum)?",
    re.ASCII | re.IGNORECASE,
)
_UNFINISHED = re.compile(r"(?i)\.(part|partial|crdownload|opdownload|download|tmp|filepart)$")
"""How programs call a download that has not ended, or was broken off."""
LARGEST = 4 * LARGEST_CSV
"""Bytes of a file that is read: packed, a dump has some kilobytes."""
_FUTURES = re.compile(r"[/\\]futures([/\\](um|cm|daily|monthly)([/\\]|$)|$)")
"""How the path of a folder of futures goes on; their files have the names of those of the spot market."""
_DEEPEST, _MOST = 12, 20_000
"""Levels and folders that are looked through before somebody is asked to name the right one."""


class FolderShelf:
    """Dumps below a folder, by the paths that they have at Binance's; offers what `WebShelf` does."""

    misses = None
    """No number of missing files in a row means that there are no more."""

    def __init__(self, location: str, symbol: str) -> None:
        """Open nothing yet.

        Raises:
            ConfigurationError: ``location`` is empty, no folder, or one of futures.
        """
        self.location = location
        self._symbol = symbol
        self._root = Path(location)
        self._places: dict[str, list[str]] = {}
        self._checksums: dict[str, str] = {}
        self._unfinished: dict[str, str] = {}
        if self._root.is_file():
            raise ConfigurationError(f"BTC_ARCHIVE={location}: is a file; name the folder that it lies in")
        if not location or not self._root.is_dir():
            raise ConfigurationError(f"BTC_ARCHIVE={location}: no such folder with Binance's dumps")
        if _FUTURES.search(os.path.realpath(location)) and not (self._root / "spot").is_dir():
            raise ConfigurationError(
                f"BTC_ARCHIVE={location}: holds futures; the pairs here are of the spot market"
            )

    def begin(self) -> None:
        """List the folder."""
        self._places, self._checksums = {}, {}
        before, self._unfinished = self._unfinished, {}
        for path in sorted(self._files()):
            name = plain_name(path).casefold()
            if _UNFINISHED.search(name):
                self._unfinished[_UNFINISHED.sub("", name)] = path
            elif name.endswith(".checksum"):
                self._checksums[path.casefold().removesuffix(".checksum")] = path
                plain = _beside(path, name).casefold().removesuffix(".checksum")
                self._checksums.setdefault(plain, path)
            else:
                self._places.setdefault(name, []).append(path)
        for name, path in self._unfinished.items():
            if name not in self._places and name not in before:
                log.warning("%s/%s is an unfinished download and left out", self.location, path)

    def copies(self, path: str) -> list[str]:
        """Return every file below the folder that is called like ``path``."""
        return self._places.get(_name(path), [])

    def get(self, path: str) -> bytes | None:
        """Read a file, or the checksum beside it whatever its case."""
        if path.endswith(".CHECKSUM"):
            beside = path[: -len(".CHECKSUM")]
            plain = _beside(beside, plain_name(beside))
            path = self._checksums.get(beside.casefold()) or self._checksums.get(plain.casefold(), path)
        try:
            about = (self._root / path).stat()
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                raise SourceRefused(f"{self.location}/{path}: no dump; they are files of a few kilobytes")
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnavailable(f"{self.location}/{path}: {error}") from error

    def newest(self, symbol: str, today: dt.date) -> tuple[dt.date | None, list[dt.date]]:
        """Return the newest day before ``today`` that has a file, and months that may go on, newest first."""
        days, months = self._dated(symbol)
        newest = max((day for day in days if day < today), default=None)
        after = [
            month for month in months if month < today and (newest is None or month > newest.replace(day=1))
        ]
        if newest is not None and newest.replace(day=1) in months:
            after.append(newest.replace(day=1))
        return newest, sorted(after, reverse=True)

    def oldest(self, symbol: str) -> tuple[dt.date | None, dt.date | None]:
        """Return the first month that has a file, and the first day that has one of its own."""
        days, months = self._dated(symbol)
        return min(months, default=None), min(days, default=None)

    def hint(self, path: str) -> str:
        """Say that an unpacked file cannot be verified, or that a download has not ended."""
        if unfinished := self._unfinished.get(_name(path)):
            return f"; {unfinished} is an unfinished download"
        unpacked = self._places.get(_name(path)[: -len(".zip")] + ".csv")
        if unpacked is None:
            return ""
        return f"; {unpacked[0]} is unpacked: only zip files are verified, keep them with their .CHECKSUM"

    def _dated(self, symbol: str) -> tuple[set[dt.date], set[dt.date]]:
        """Return the days and the months that have a zip file of daily candles."""
        days: set[dt.date] = set()
        months: set[dt.date] = set()
        for name in self._places:
            match = _DUMP.fullmatch(name)
            if match is None or match[5] != "zip" or match[1] != f"{symbol}-{DAILY.name}".casefold():
                continue
            try:
                date = dt.date(int(match[2]), int(match[3]), int(match[4] or 1))
            except ValueError:
                continue
            (days if match[4] else months).add(date)
        return days, months

    def _files(self) -> Iterator[str]:
        """Yield the dumps and checksums below the folder, relative to it, with slashes."""
        seen: set[str] = set()
        for folder, below, names in os.walk(self._root, followlinks=True, onerror=self._unreadable):
            here = Path(folder).relative_to(self._root)
            real = os.path.realpath(folder)
            if real in seen or len(here.parts) >= _DEEPEST:
                below.clear()
                continue
            seen.add(real)
            if len(seen) > _MOST:
                raise ConfigurationError(
                    f"BTC_ARCHIVE={self.location}: more than {_MOST:,} folders; name the one that holds spot/"
                )
            in_klines = Path(folder).name == "klines"
            below[:] = [name for name in below if self._leads_on(name, in_klines)]
            yield from ((here / name).as_posix() for name in names if _is_dump(name))

    def _leads_on(self, name: str, in_klines: bool) -> bool:
        """Tell whether files of our pair may lie in the folder ``name``."""
        if name.startswith(".") or name.casefold() in _OTHERS | _SYSTEMS:
            return False
        return not in_klines or name == self._symbol or _PAIR.fullmatch(name) is None

    def _unreadable(self, error: OSError) -> None:
        raise SourceUnavailable(f"{error.filename}: {error.strerror}")


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].casefold()


def _is_dump(name: str) -> bool:
    """Tell whether a file called ``name`` is a dump, its checksum, or was meant to become one."""
    return _DUMP.fullmatch(_UNFINISHED.sub("", plain_name(name))) is not None


def _beside(path: str, name: str) -> str:
    """Return the path of a file ``name`` in the folder of the file at ``path``."""
    folder, slash, _ = path.rpartition("/")
    return folder + slash + name
