"""Dumps behind a URL."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from btc_assets.market.calendar import DAY, FIRST_DAY, days
from btc_assets.market.retry import RetryPolicy, retry_until
from btc_assets.market.sources.dumps import daily, monthly, next_month

if TYPE_CHECKING:
    from btc_assets.market.http_session import Session

_RECENT_DAYS = 10


class WebShelf:
    """Dumps behind a URL, by the paths that they have at Binance's.

    There is no listing, so the newest file is searched backwards from today.
    """

    misses = 3
    """How many missing files in a row mean that there are no more."""

    def __init__(self, location: str, retry: RetryPolicy) -> None:
        self.location = location.rstrip("/")
        self._retry = retry
        self._deadline = 0.0
        self._session: Session | None = None

    def begin(self) -> None:
        """Let the deadline run from now on."""
        self._deadline = self._retry.begin()

    def copies(self, path: str) -> None:
        """Return None: there is no telling where copies of a dump lie without asking for it."""

    def get(self, path: str) -> bytes | None:
        """Download a file; None if the server has none."""
        from btc_assets.market.http_session import NotThere

        address = f"{self.location}/{path}"
        try:
            return retry_until(lambda: self._download(address), self._retry, self._deadline, address)
        except NotThere:
            return None

    def newest(self, symbol: str, today: dt.date) -> tuple[dt.date | None, list[dt.date]]:
        """Return the newest day before ``today`` that has a file, or the month that may go on, in a list."""
        for back in range(1, _RECENT_DAYS + 1):
            day = today - back * DAY
            if self._has(daily(symbol, day)):
                return day, []
        month = today.replace(day=1)
        while month >= FIRST_DAY.replace(day=1):
            if self._has(monthly(symbol, month)):
                return None, [month]
            month = (month - DAY).replace(day=1)
        return None, []

    def oldest(self, symbol: str) -> tuple[dt.date | None, dt.date | None]:
        """Return the first month that has a file, and the first day that has one of its own.

        By halving the months: a pair's files have no gap from its first to the newest.
        """
        today = dt.datetime.now(dt.UTC).date()
        day, newest = self.newest(symbol, today)
        end = day or (next_month(newest[0]) - DAY if newest else None)
        if end is None:
            return None, None
        low, high = FIRST_DAY.replace(day=1), end.replace(day=1)
        while low < high:
            middle = (low + (high - low) / 2).replace(day=1)
            low, high = (low, middle) if self._is_listed(symbol, middle) else (next_month(middle), high)
        if self._has(monthly(symbol, low)):
            return low, None
        return None, next((d for d in days(low, end + DAY) if self._has(daily(symbol, d))), None)

    def hint(self, path: str) -> str:  # noqa: ARG002
        """Say that the dumps of data.binance.vision lie below /data."""
        return "" if self.location.endswith("/data") else f"; is the address {self.location}/data?"

    def _is_listed(self, symbol: str, month: dt.date) -> bool:
        """Tell whether there are files of ``month``; its own is published some days after it."""
        return self._has(monthly(symbol, month)) or self._has(daily(symbol, next_month(month) - DAY))

    def _has(self, path: str) -> bool:
        return self.get(path + ".CHECKSUM") is not None

    def _download(self, address: str) -> bytes:
        from btc_assets.market.http_session import Session

        # Taken while in use, so that an attempt that was given up never shares its connection.
        session, self._session = self._session or Session(), None
        body = session.get(address, timeout=(self._retry.connect, self._retry.read)).content
        self._session = session
        return body
