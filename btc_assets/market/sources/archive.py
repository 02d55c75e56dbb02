"""Candles from Binance's public dumps, in a folder or at a URL (``https://data.binance.vision/data``).

A month is read from its monthly file or, where there is none, from daily files. What lies after the
newest file does not exist yet; a file of daily candles missing before that is an error that names it. A
file of shorter bars may be missing: its days then have none, and whoever reads them must say so.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from btc_assets.errors import ConfigurationError, SourceRefused, SourceUnavailable
from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, Interval, closes_at, days
from btc_assets.market.kline import Kline
from btc_assets.market.retry import RetryPolicy, retry_until
from btc_assets.market.sources.dumps import daily, monthly, next_month, read_dump

if TYPE_CHECKING:
    from btc_assets.market.http_session import Session

_RECENT_DAYS = 10
_DATED = re.compile(r"-(\d{4})-(\d{2})(?:-(\d{2}))?\.zip$", re.ASCII)


class Archive:
    """The source ``archive``; see `btc_assets.market.sources.protocol.KlineSource`."""

    name = "archive"
    has_clock = False
    simulated = False

    def __init__(self, location: str, symbol: str = "BTCUSDT", *, retry: RetryPolicy | None = None) -> None:
        """Open nothing yet.

        Args:
            location: folder or http(s) address that holds ``spot/monthly/klines/...``.
            symbol: the pair whose newest file sets the archive's clock.
            retry: timeouts and waits when the archive is at a URL.

        Raises:
            ConfigurationError: ``location`` is empty or no folder.
        """
        self._symbol = symbol
        self._shelf: _Shelf = (
            _Web(location, retry or RetryPolicy())
            if location.startswith(("http://", "https://"))
            else _Folder(location)
        )

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return the candles of [start, end) that the dumps hold."""
        self._shelf.begin()
        found: list[Kline] = []
        missing: str | None = None
        last = self._shelf.last_day(symbol)
        month = start.replace(day=1)
        while month < end and last is not None and month <= last:
            until = next_month(month)
            klines = self._read(monthly(symbol, month, interval), symbol, month, until, interval)
            if klines is None:
                first, stop = max(month, start), min(until, end, last + DAY)
                klines, missing = self._days(symbol, first, stop, interval)
            if missing is not None and interval == DAILY:
                raise SourceRefused(
                    f"{self._shelf.location}: {monthly(symbol, month)} and {missing} are missing, though "
                    f"the archive goes on until {last}; download one of them"
                )
            found += [kline for kline in klines if start <= kline.date < end]
            month = until
        return found

    def now(self) -> dt.datetime:
        """Return the end of the newest day in the archive: every candle in it is closed, none is later."""
        self._shelf.begin()
        last = self._shelf.last_day(self._symbol)
        if last is None:
            raise ConfigurationError(
                f"BTC_ARCHIVE={self._shelf.location}: no dumps of {self._symbol}; "
                f"expected files like {monthly(self._symbol, FIRST_DAY)}"
            )
        return closes_at(last)

    def _days(
        self, symbol: str, start: dt.date, end: dt.date, interval: Interval
    ) -> tuple[list[Kline], str | None]:
        """Return candles of daily files and the first missing day, which ends daily candles but no bars.

        At a URL, where each look is a request and there may be no bars at all, as many missing files in a row
        as the shelf allows end the month.
        """
        found: list[Kline] = []
        missing: list[str] = []
        in_a_row = 0
        for day in days(start, end):
            path = daily(symbol, day, interval)
            klines = self._read(path, symbol, day, day + DAY, interval)
            if klines is None:
                missing.append(path)
                in_a_row += 1
                if interval == DAILY or in_a_row == self._shelf.misses:
                    break
                continue
            in_a_row = 0
            found += klines
        return found, missing[0] if missing else None

    def _read(
        self, path: str, symbol: str, start: dt.date, end: dt.date, interval: Interval
    ) -> list[Kline] | None:
        """Return the candles of the file at ``path``; None if there is no such file."""
        packed = self._shelf.get(path)
        if packed is None:
            return None
        checksum = self._shelf.get(path + ".CHECKSUM")
        if checksum is None:
            raise SourceRefused(f"{self._shelf.location}: {path}.CHECKSUM is missing; download it too")
        return read_dump(path, packed, checksum, symbol=symbol, start=start, end=end, interval=interval)


class _Shelf(Protocol):
    """Where dumps lie."""

    location: str

    @property
    def misses(self) -> int | None:
        """How many missing files in a row mean that there are no more; None: none does."""

    def begin(self) -> None:
        """Start the time of a new question."""

    def get(self, path: str) -> bytes | None:
        """Return the bytes at ``path``; None if there is nothing."""

    def last_day(self, symbol: str) -> dt.date | None:
        """Return the newest day that a file of ``symbol`` covers."""


class _Folder:
    """Dumps in a local folder."""

    misses = None

    def __init__(self, location: str) -> None:
        self.location = location
        self._root = Path(location)
        if not location or not self._root.is_dir():
            raise ConfigurationError(f"BTC_ARCHIVE={location}: no such folder with Binance's dumps")

    def begin(self) -> None:
        """Prepare nothing."""

    def get(self, path: str) -> bytes | None:
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnavailable(f"{self.location}/{path}: {error}") from error

    def last_day(self, symbol: str) -> dt.date | None:
        newest: dt.date | None = None
        for folder in (monthly(symbol, FIRST_DAY), daily(symbol, FIRST_DAY)):
            for file in (self._root / folder).parent.glob(f"{symbol}-1d-*.zip"):
                if (day := _covers(file.name)) is not None:
                    newest = max(newest or day, day)
        return newest


class _Web:
    """Dumps behind a URL. There is no listing, so the newest file is searched backwards from today."""

    misses = 3

    def __init__(self, location: str, retry: RetryPolicy) -> None:
        self.location = location.rstrip("/")
        self._retry = retry
        self._deadline = 0.0
        self._session: Session | None = None
        self._last: dict[str, dt.date | None] = {}

    def begin(self) -> None:
        self._deadline = self._retry.begin()
        self._last.clear()

    def get(self, path: str) -> bytes | None:
        from btc_assets.market.http_session import NotThere

        address = f"{self.location}/{path}"
        try:
            return retry_until(lambda: self._download(address), self._retry, self._deadline, address)
        except NotThere:
            return None

    def _download(self, address: str) -> bytes:
        from btc_assets.market.http_session import Session

        # Taken while in use, so that an attempt that was given up never shares its connection.
        session, self._session = self._session or Session(), None
        body = session.get(address, timeout=(self._retry.connect, self._retry.read)).content
        self._session = session
        return body

    def last_day(self, symbol: str) -> dt.date | None:
        if symbol not in self._last:
            self._last[symbol] = self._search(symbol, dt.datetime.now(dt.UTC).date())
        return self._last[symbol]

    def _search(self, symbol: str, today: dt.date) -> dt.date | None:
        for back in range(1, _RECENT_DAYS + 1):
            day = today - back * DAY
            if self.get(daily(symbol, day) + ".CHECKSUM") is not None:
                return day
        month = today.replace(day=1)
        while month >= FIRST_DAY.replace(day=1):
            if self.get(monthly(symbol, month) + ".CHECKSUM") is not None:
                return next_month(month) - DAY
            month = (month - DAY).replace(day=1)
        return None


def _covers(name: str) -> dt.date | None:
    """Return the last day that a dump's name says it covers."""
    match = _DATED.search(name)
    if match is None:
        return None
    year, month, day = (int(part or 1) for part in match.groups())
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return None
    return date if match[3] else next_month(date) - DAY
