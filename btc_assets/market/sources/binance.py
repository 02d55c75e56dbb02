"""Candles from Binance's REST API, through binance-connector's `Spot` behind a validating port.

`Spot` 3.13 never retries, has no timeout by default, follows redirects and returns text where it
expected JSON; the port adds deadline, retries, bans and validation, and trusts no clock but the
server's. Importing this module is cheap; `Spot` itself is imported with the first call.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from btc_assets.errors import BadCandle, SourceBanned, SourceError
from btc_assets.market.anomalies import distinct
from btc_assets.market.ban_memory import BanMemory, Hold
from btc_assets.market.calendar import DAILY, DAY, FIRST_DAY, Interval, closes_at, opens_at
from btc_assets.market.first_day_memory import FirstDays
from btc_assets.market.kline import Kline
from btc_assets.market.retry import RetryAfter, RetryPolicy, retry_until
from btc_assets.market.wire_format import from_milliseconds, milliseconds, parse_row

if TYPE_CHECKING:
    from binance.spot import Spot

PUBLIC_URL = "https://data-api.binance.vision"
"""Binance's market-data-only host: the same candles, no key, no geo-block."""

ROWS = 1000
"""The most candles one request returns (weight 2 of 6,000 a minute)."""

SETTLE = dt.timedelta(seconds=30)
"""How long after its close a candle may still move while the exchange books the last trades."""

_EARLIEST, _LATEST = dt.datetime(2017, 1, 1, tzinfo=dt.UTC), dt.datetime(2200, 1, 1, tzinfo=dt.UTC)


class Binance:
    """The source ``binance``; see `btc_assets.market.sources.protocol.KlineSource`."""

    name = "binance"
    has_clock = True
    simulated = False

    def __init__(
        self,
        base_url: str = PUBLIC_URL,
        *,
        retry: RetryPolicy | None = None,
        hold_file: Path | None = None,
        first_days_file: Path | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            base_url: address of the REST API, without a path.
            hold_file: where a ban (418) or limit (429) is remembered for other processes.
        """
        self.base_url = base_url.rstrip("/")
        self._retry = retry or RetryPolicy()
        self._bans = BanMemory(hold_file)
        self._first_days = FirstDays(first_days_file)
        self._clock: tuple[dt.datetime, float] | None = None

    def klines(self, symbol: str, start: dt.date, end: dt.date, interval: Interval = DAILY) -> list[Kline]:
        """Return closed candles of [start, end): ``ceil(candles / 1000)`` requests, one more for the time."""
        deadline = self._retry.begin()
        found: list[Kline] = []
        page = start
        while page < end:
            until = min(end, page + ROWS // interval.bars_a_day * DAY)
            found += self._page(symbol, page, until, deadline, interval)
            page = until
        return self._closed(distinct(found), deadline)

    def first_day(self, symbol: str) -> dt.date | None:
        """Return the day of the pair's first candle from 2017-08-17 on; asked once, then remembered."""

        def ask() -> dt.date | None:
            found = self._page(symbol, FIRST_DAY, _LATEST.date(), self._retry.begin(), rows=1)
            return found[0].date if found else None

        return self._first_days.get(f"{self.base_url} {symbol}", ask)

    def now(self) -> dt.datetime:
        """Return the server's time (UTC), asked anew."""
        return self._ask_time(self._retry.begin())

    def running_candle(self, symbol: str) -> Kline | None:
        """Return the candle of the day that is not over: provisional, to be looked at, never stored.

        None where the day has no trade yet.
        """
        deadline = self._retry.begin()
        today = self._ask_time(deadline).date()
        found = self._page(symbol, today, today + DAY, deadline)
        return found[-1] if found else None

    def _page(
        self,
        symbol: str,
        start: dt.date,
        end: dt.date,
        deadline: float,
        interval: Interval = DAILY,
        rows: int = ROWS,
    ) -> list[Kline]:
        """Ask for the first ``rows`` candles of [start, end), the running one included."""
        answer = self._ask(
            lambda api: api.klines(
                symbol,
                interval.name,
                startTime=milliseconds(opens_at(start)),
                endTime=milliseconds(opens_at(end)) - 1,
                limit=rows,
            ),
            deadline,
        )
        where = f"{self.base_url}/api/v3/klines"
        if not isinstance(answer, list):
            raise BadCandle(
                f"{where}: expected a list of candles, got {type(answer).__name__} {answer!r:.200}"
            )
        klines = [
            parse_row(row, symbol=symbol, source=self.name, where=where, interval=interval) for row in answer
        ]
        for kline in klines:
            if not start <= kline.date < end:
                raise BadCandle(f"{where}: asked for {start} up to {end}, got a candle of {kline.date}")
        return klines

    def _closed(self, klines: list[Kline], deadline: float) -> list[Kline]:
        """Return ``klines`` without those that are, by the server's clock, not final yet."""
        if not klines:
            return klines
        now = self._known_time()
        if now is None or closes_at(klines[-1].date) + SETTLE > now:
            now = self._ask_time(deadline)
        return [kline for kline in klines if closes_at(kline.date) + SETTLE <= now]

    def _known_time(self) -> dt.datetime | None:
        """Carry the server's time forward by our steady clock, which may lag but never runs ahead."""
        if self._clock is None:
            return None
        asked, at = self._clock
        return asked + dt.timedelta(seconds=time.monotonic() - at)

    def _ask_time(self, deadline: float) -> dt.datetime:
        answer = self._ask(lambda api: api.time(), deadline)
        stamp = answer.get("serverTime") if isinstance(answer, dict) else None
        if isinstance(stamp, int) and not isinstance(stamp, bool) and 0 < stamp < 10**14:
            now = from_milliseconds(stamp)
            if _EARLIEST < now < _LATEST:
                self._clock = now, time.monotonic()
                return now
        raise BadCandle(f"{self.base_url}/api/v3/time: expected the server's time, got {answer!r:.200}")

    def _ask(self, question: Callable[[Spot], Any], deadline: float) -> Any:
        """Return the decoded answer to ``question``, retried while a failure can pass and time is left."""
        return retry_until(lambda: self._ask_once(question), self._retry, deadline, self.base_url)

    def _ask_once(self, question: Callable[[Spot], Any]) -> Any:
        """Make one call, if no hold is in force; start a hold if the answer demands one."""
        from btc_assets.market.http_session import RateLimited

        if (hold := self._bans.current()) is not None:
            raise self._held(hold)
        # A new `Spot` a call: an attempt that was given up may still be using the last one's connection.
        api = self._spot()
        try:
            return question(api)
        except RateLimited as error:
            default = self._retry.ban_wait if error.status == 418 else self._retry.limit_wait
            hold = self._bans.hold(error.wait(default, 15), error.status)
            raise self._held(hold) from error
        finally:
            api.session.close()

    def _held(self, hold: Hold) -> SourceError:
        until = dt.datetime.fromtimestamp(hold.until, dt.UTC)
        if hold.status == 418:
            return SourceBanned(
                f"{self.base_url} banned this address until {until:%Y-%m-%d %H:%M:%S} UTC (418); "
                "no call is made before then",
                until,
            )
        return RetryAfter(
            f"{self.base_url} limits requests; no call is made before {until:%Y-%m-%d %H:%M:%S} UTC (429)",
            max(hold.until - time.time(), 0.001),
        )

    def _spot(self) -> Spot:
        from binance.spot import Spot

        from btc_assets.market.http_session import Session

        api = Spot(base_url=self.base_url, timeout=(self._retry.connect, self._retry.read))
        api.session.close()
        api.session = Session()
        return api
