"""Implied volatility from Deribit's public API: its index DVOL, keyless, for personal use only.

Deribit's terms allow market data for personal use: whoever turns this on fetches for themselves, and nothing
that was fetched is part of the project. The value of a day is the close of the index's hourly candle of
23:00 UTC, which ends with the day.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from btc_assets.errors import BadCandle, SourceRefused
from btc_assets.market.calendar import DAY, closes_at, days, last_closed_day, opens_at
from btc_assets.market.implied_volatility import ImpliedVolatility, check_volatility
from btc_assets.market.retry import RetryAfter, RetryPolicy, retry_until
from btc_assets.market.wire_format import from_milliseconds, milliseconds

PUBLIC_URL = "https://www.deribit.com"

BEGAN = dt.date(2021, 3, 24)
"""The first day of the index; nothing is asked for before it."""

HOUR = 3_600_000
"""Milliseconds between two candles, which are asked for by 3,600 seconds."""

SETTLE = dt.timedelta(seconds=30)
"""How long after its end a candle may still move."""

HIGHEST = 1e6
"""Per cent a year that no candle reaches within its hour, and that a double can hold."""

REFILL = 1.0
"""Seconds after which a limited client may ask again where the answer does not say: its credits refill."""

TOO_MANY_REQUESTS = 10028
"""The error code of Deribit's rate limit."""

ADVICE = "set BTC_IMPLIED_VOLATILITY=off, or BTC_DERIBIT_URL to an address that answers"

_EARLIEST, _LATEST = milliseconds(opens_at(BEGAN)), milliseconds(opens_at(dt.date(2200, 1, 1)))


class Deribit:
    """The source ``deribit``; see `btc_assets.market.implied_volatility.VolatilitySource`."""

    name = "deribit"

    def __init__(self, base_url: str = PUBLIC_URL, *, retry: RetryPolicy | None = None) -> None:
        """Open nothing yet; ``retry`` says how long one request may take, tries included."""
        self.base_url = base_url.rstrip("/")
        self._retry = retry or RetryPolicy(deadline=30.0)

    def implied_volatility(self, symbol: str, start: dt.date, end: dt.date) -> list[ImpliedVolatility]:
        """Return the values of closed days in [start, end): a request a thousand hours, one for the time."""
        start = max(start, BEGAN)
        if start >= end:
            return []
        end = min(end, last_closed_day(self.now() - SETTLE) + DAY)
        closes = self._closes(symbol[:3], start, end) if start < end else {}
        last = {day: closes.get(milliseconds(closes_at(day)) - HOUR) for day in days(start, end)}
        return [
            check_volatility(ImpliedVolatility(symbol, day, value, self.name))
            for day, value in last.items()
            if value is not None
        ]

    def now(self) -> dt.datetime:
        """Return the server's time (UTC), asked anew."""
        stamp = self._ask("get_time")
        if type(stamp) is not int or not _EARLIEST < stamp < _LATEST:
            raise BadCandle(f"{self._address('get_time')}: expected the server's time, got {stamp!r:.200}")
        return from_milliseconds(stamp)

    def _closes(self, currency: str, start: dt.date, end: dt.date) -> dict[int, float]:
        """Return the close of each hourly candle by its first instant; the newest come in the first page."""
        first, until = milliseconds(opens_at(start)), milliseconds(opens_at(end)) - 1
        found: dict[int, float] = {}
        where = self._address("get_volatility_index_data")
        while until >= first:
            answer = self._ask(
                "get_volatility_index_data",
                currency=currency,
                start_timestamp=first,
                end_timestamp=until,
                resolution=3600,
            )
            page, before = read_page(answer, first, until, where)
            for at, close in page:
                if found.setdefault(at, close) != close:
                    raise BadCandle(f"{where}: two different candles for {from_milliseconds(at)}")
            if before is None:
                break
            until = before
        return found

    def _address(self, method: str) -> str:
        return f"{self.base_url}/api/v2/public/{method}"

    def _ask(self, method: str, **params: str | int) -> Any:
        """Return the result of ``method``, retried while a failure can pass and time is left."""
        address = self._address(method)
        return retry_until(
            lambda: self._ask_once(address, params), self._retry, self._retry.begin(), self.base_url
        )

    def _ask_once(self, address: str, params: dict[str, str | int]) -> Any:
        from btc_assets.market.http_session import RateLimited, Session

        with Session() as session:
            session.advice = ADVICE
            try:
                response = session.get(
                    address, params=params, timeout=(self._retry.connect, self._retry.read)
                )
            except RateLimited as error:
                raise RetryAfter(str(error), error.wait(REFILL, 5)) from error
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            raise BadCandle(f"{address}: expected JSON, got {response.content[:80]!r}") from None
        if not isinstance(body, dict) or "result" not in body:
            raise _rpc_error(address, body)
        return body["result"]


def _rpc_error(address: str, body: object) -> Exception:
    """Return the error that an answer without a result stands for."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and error.get("code") == TOO_MANY_REQUESTS:
        return RetryAfter(f"{address}: too many requests ({TOO_MANY_REQUESTS})", REFILL)
    return SourceRefused(f"{address}: refused: {body!r:.200}; {ADVICE}")


def read_page(
    answer: object, first: int, until: int, where: str
) -> tuple[list[tuple[int, float]], int | None]:
    """Return each candle of a page as first instant and close, and up to where to ask next, if at all.

    Args:
        first, until: what was asked for, milliseconds.
        where: the address, for errors.

    Raises:
        BadCandle: it is no page of candles that were asked for.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise BadCandle(f"{where}: expected a page of candles, got {answer!r:.200}")
    before = answer.get("continuation")
    if before is not None and (type(before) is not int or before >= until):
        raise BadCandle(f"{where}: the page up to {until} continues at {before!r:.50}, not before it")
    return [_parsed(candle, first, until, where) for candle in answer["data"]], before


def _parsed(candle: object, first: int, until: int, where: str) -> tuple[int, float]:
    """Return the first instant (milliseconds) and the close of ``candle``; BadCandle: none was asked for."""
    if not isinstance(candle, list) or len(candle) != 5 or any(type(x) not in (int, float) for x in candle):
        raise BadCandle(f"{where}: {candle!r:.200} is no candle of five numbers")
    at, opened, high, low, close = candle
    if type(at) is not int or at % HOUR or not first <= at <= until:
        raise BadCandle(f"{where}: {candle!r:.200} does not begin on an hour that was asked for")
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high < HIGHEST:
        raise BadCandle(f"{where}: {candle!r:.200} cannot be: its low and high do not hold open and close")
    return at, float(close)
