"""Candles from Binance's public dumps, in a folder or at a URL (``https://data.binance.vision/data``).

A month is read from its monthly file, and what that lacks from daily files; files that contradict each
other are refused. What lies after the newest file does not exist yet; a file of daily candles missing before
that is an error that names it. A file of shorter bars may be missing: its days then have none, and whoever
reads them must say so.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from btc_assets.errors import BadCandle, ConfigurationError, SourceRefused
from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, Interval, closes_at, days, opens_at
from btc_assets.market.kline import Kline
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.dump_folder import FolderShelf
from btc_assets.market.sources.dump_locations import WebShelf
from btc_assets.market.sources.dumps import daily, monthly, next_month, read_dump


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
        self._shelf: FolderShelf | WebShelf = (
            WebShelf(location, retry or RetryPolicy())
            if location.startswith(("http://", "https://"))
            else FolderShelf(location, symbol)
        )

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return the candles of [start, end) that the dumps hold."""
        self._shelf.begin()
        found: list[Kline] = []
        last = self._last_day(symbol)
        month = start.replace(day=1)
        while last is not None and month < end and month <= last:
            stop = min(next_month(month), end, last + DAY)
            found += self._month(symbol, month, max(month, start), stop, last, interval)
            month = next_month(month)
        return found

    def first_day(self, symbol: str) -> dt.date | None:
        """Return the day of the first candle in the archive."""
        self._shelf.begin()
        month, day = self._shelf.oldest(symbol)
        if month is None or (day is not None and day < month):
            return day
        read = self._read(monthly(symbol, month), symbol, month, next_month(month), DAILY)
        first = min((kline.date for kline, _ in read or []), default=None)
        return min((d for d in (first, day) if d is not None), default=None)

    def now(self) -> dt.datetime:
        """Return the end of the newest day in the archive: every candle in it is closed, none is later."""
        self._shelf.begin()
        last = self._last_day(self._symbol)
        if last is None:
            path = monthly(self._symbol, FIRST_DAY)
            raise ConfigurationError(
                f"BTC_ARCHIVE={self._shelf.location}: no dumps of {self._symbol} of days that are over; "
                f"expected files like {path}{self._shelf.hint(path)}"
            )
        return closes_at(last)

    def _last_day(self, symbol: str) -> dt.date | None:
        """Return the newest day that a file holds, of those that are over by this machine's clock."""
        today = dt.datetime.now(dt.UTC).date()
        newest, months = self._shelf.newest(symbol, today)
        for month in months:
            read = self._read(monthly(symbol, month), symbol, month, next_month(month), DAILY)
            held = max((kline.date for kline, _ in read or [] if kline.date < today), default=None)
            if held is not None:
                return max(newest or held, held)
        return newest

    def _month(
        self, symbol: str, month: dt.date, first: dt.date, stop: dt.date, last: dt.date, interval: Interval
    ) -> list[Kline]:
        """Return the candles of [first, stop), days of one month: of its file and of those of its days.

        A day that the month's file lacks is one that the exchange lost, unless a daily file has it, or the
        month is the last and was packed early. At a URL, where each look is a request and there may be no
        bars at all, only days that are not whole yet are looked for, and as many missing files in a row as
        the shelf allows end the month.
        """
        known = _Candles()
        path = monthly(symbol, month, interval)
        whole = self._read(path, symbol, month, next_month(month), interval)
        known.add(whole or [])
        covered = max((kline.date for kline, _ in whole or []), default=month - DAY)
        in_a_row = 0
        for day in days(first, stop):
            day_path = daily(symbol, day, interval)
            if self._shelf.copies(day_path) is None and known.count[day] == interval.bars_a_day:
                continue
            read = self._read(day_path, symbol, day, day + DAY, interval)
            known.add(read or [])
            in_a_row = 0 if read is not None else in_a_row + 1
            ends_early = whole is None or (day > covered and last < next_month(month))
            if interval == DAILY and read is None and ends_early:
                raise SourceRefused(self._missing(path, day_path, whole is not None, last))
            if interval != DAILY and in_a_row == self._shelf.misses:
                break
        return known.between(first, stop)

    def _missing(self, month: str, day: str, have_month: bool, last: dt.date) -> str:
        what = (
            f"{day} is missing, and {month} ends before it"
            if have_month
            else f"{month} and {day} are missing"
        )
        hint = self._shelf.hint(month) or self._shelf.hint(day)
        until = f"though the archive goes on until {last}; download one of them"
        return f"{self._shelf.location}: {what}, {until}{hint}"

    def _read(
        self, path: str, symbol: str, start: dt.date, end: dt.date, interval: Interval
    ) -> list[tuple[Kline, str]] | None:
        """Return the candles of each copy of a dump, with where they are from; None if there is none."""
        found: list[tuple[Kline, str]] | None = None
        copies = self._shelf.copies(path)
        for place in [path] if copies is None else copies:
            packed = self._shelf.get(place)
            if packed is None:
                continue
            checksum = self._shelf.get(place + ".CHECKSUM")
            if checksum is None:
                raise SourceRefused(f"{self._shelf.location}: {place}.CHECKSUM is missing; download it too")
            klines = read_dump(
                place, packed, checksum, symbol=symbol, start=start, end=end, interval=interval
            )
            found = (found or []) + [(kline, place) for kline in klines]
        return found


class _Candles:
    """Candles of one pair from several files, which must agree."""

    def __init__(self) -> None:
        self._known: dict[dt.datetime, tuple[Kline, str]] = {}
        self.count: Counter[dt.date] = Counter()
        """How many there are of a day."""

    def add(self, candles: list[tuple[Kline, str]]) -> None:
        """Take in the candles of a file.

        Raises:
            BadCandle: another file says otherwise.
        """
        for kline, place in candles:
            if kline.open_time not in self._known:
                self._known[kline.open_time] = kline, place
                self.count[kline.date] += 1
            before, where = self._known[kline.open_time]
            if before != kline:
                raise BadCandle(
                    f"{kline.symbol} {kline.open_time:%Y-%m-%d %H:%M}: {where} has close {before.close} and "
                    f"volume {before.volume}, {place} {kline.close} and {kline.volume}; remove the file "
                    "that is wrong (what Binance restates is right in the later download)"
                )

    def between(self, start: dt.date, end: dt.date) -> list[Kline]:
        """Return the candles of the days [start, end), in order."""
        times = sorted(time for time in self._known if opens_at(start) <= time < opens_at(end))
        return [self._known[time][0] for time in times]
