"""An exchange on loopback that speaks Binance's market-data protocol, and misbehaves when told to.

It is a real HTTP server: `Exchange().start()` listens on a free port of 127.0.0.1. What it knows are
the candles in ``exchange.rows`` and the time in ``exchange.clock``; nothing depends on the host's
clock. Faults are put in a queue and each spoils one request::

    exchange.spoil(status(429, headers={"Retry-After": "1"}), times=2)
"""

from __future__ import annotations

import datetime as dt
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import loopback
from loopback import Server

from btc_assets.market.calendar import DAILY, FOUR_HOURS, Interval
from btc_assets.market.kline import Kline
from btc_assets.market.sources.simulated import Simulated
from btc_assets.market.wire_format import milliseconds, to_row

INTERVALS = {interval.name: interval for interval in (DAILY, FOUR_HOURS)}
DEFAULT_CLOCK = dt.datetime(2018, 3, 1, 0, 10, tzinfo=dt.UTC)
Fault = Callable[["Handler"], None]


@dataclass
class Request:
    """One request the exchange saw."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Exchange:
    """The server: its market, its clock, its faults, and what it was asked."""

    clock: dt.datetime = DEFAULT_CLOCK
    symbol: str = "BTCUSDT"
    rows: dict[dt.date, list[Any]] = field(default_factory=dict)
    bars: dict[dt.datetime, list[Any]] = field(default_factory=dict)
    """4-hour candles by their first instant."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Bodies by path, for dumps: ``/spot/monthly/klines/...``."""
    weight_limit: int = 6000
    requests: list[Request] = field(default_factory=list)
    _faults: list[tuple[str, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    _server: Server | None = None

    def start(self) -> Exchange:
        """Listen on a free port; candles default to the simulated market through the clock's day."""
        if not self.rows:
            self.list_market(dt.date(2017, 8, 17), self.clock.date())
        bound = type("Bound", (self.handler(),), {"exchange": self})
        self._server = Server(bound).start()
        return self

    def handler(self) -> type[Handler]:
        """What answers a connection."""
        return Handler

    def stop(self) -> None:
        """Stop listening; requests that hang are let go."""
        self.closing.set()
        if self._server is not None:
            self._server.stop()

    @property
    def url(self) -> str:
        assert self._server is not None
        return self._server.url

    def list_market(self, start: dt.date, last: dt.date) -> None:
        """Know the simulated market's candles from ``start`` to ``last``, the running one included."""
        late = Simulated(lambda: dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
        end = last + dt.timedelta(days=1)
        self.rows |= {kline.date: as_sent(kline) for kline in late.klines(self.symbol, start, end)}
        bars = late.klines(self.symbol, start, end, FOUR_HOURS)
        self.bars |= {kline.open_time: as_sent(kline) for kline in bars}

    def restate(self, day: dt.date, **fields: Any) -> None:
        """Change a candle after the fact, as Binance does: ``restate(day, volume="1.5", trades=3)``."""
        index = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7, "trades": 8}
        row = list(self.rows[day])
        for name, value in fields.items():
            row[index[name]] = value
        self.rows[day] = row

    def restate_bar(self, opens: dt.datetime, **prices: Any) -> None:
        """The same of a 4-hour candle: ``restate_bar(opens, high="9999.0")``."""
        row = list(self.bars[opens])
        for name, value in prices.items():
            row[{"open": 1, "high": 2, "low": 3, "close": 4}[name]] = value
        self.bars[opens] = row

    def spoil(self, fault: Fault, times: int = 1, path: str = "/") -> None:
        """Let the next ``times`` requests whose path begins with ``path`` run into ``fault``."""
        with self._lock:
            self._faults += [(path, fault)] * times

    def spoil_interval(self, interval: str, fault: Fault, times: int = 1) -> None:
        """The same for requests for candles of ``interval``."""
        self.spoil(fault, times, f"/api/v3/klines?{interval}")

    def behave(self) -> None:
        """Forget every fault that no request has run into yet."""
        with self._lock:
            self._faults.clear()

    def asked(self, path: str = "/api/v3/klines") -> list[Request]:
        """The requests seen for ``path``."""
        return [request for request in self.requests if request.path == path]

    def next_fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            asked = f"{request.path}?{request.params.get('interval', '')}"
            for index, (path, fault) in enumerate(self._faults):
                if asked.startswith(path):
                    del self._faults[index]
                    return fault
        return None

    def visible(self, interval: Interval = DAILY) -> list[list[Any]]:
        """All candles that have opened by the exchange's clock; the running one as far as it has come."""
        now = milliseconds(self.clock)
        known = sorted(self.rows.items() if interval == DAILY else self.bars.items())  # type: ignore[type-var]
        rows = [row for _, row in known if row[0] <= now]
        if rows and rows[-1][6] >= now:
            part = max((now - rows[-1][0]) / (interval.step / dt.timedelta(milliseconds=1)), 0.001)
            running = list(rows[-1])
            running[5] = repr(round(float(running[5]) * part, 5))
            running[9] = repr(round(float(running[9]) * part / 2, 5))
            rows[-1] = running
        return rows


def as_sent(kline: Kline) -> list[Any]:
    """The row of ``kline`` as the exchange sends it: times and counts as numbers, the rest as text."""
    row: list[Any] = to_row(kline)
    for index in (0, 6, 8):
        row[index] = int(row[index])
    return row


class Handler(loopback.Handler):
    """One connection: routing, parameters and limits as documented for Binance's spot API."""

    exchange: Exchange
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        params = dict(urllib.parse.parse_qsl(address.query))
        request = Request(address.path, params, dict(self.headers.items()))
        fault = self.exchange.next_fault(request)
        if fault is not None:
            fault(self)
        elif address.path in self.exchange.files:
            self.reply(200, self.exchange.files[address.path], {"Content-Type": "application/zip"})
        elif address.path == "/api/v3/ping":
            self.reply(200, {})
        elif address.path == "/api/v3/time":
            self.reply(200, {"serverTime": milliseconds(self.exchange.clock)})
        elif address.path == "/api/v3/klines":
            self.klines(params)
        else:
            self.reply(404, b"<html><body>404 page not found</body></html>", {"Content-Type": "text/html"})

    def klines(self, params: dict[str, str]) -> None:
        weight = 2 * len(self.exchange.asked())
        if weight > self.exchange.weight_limit:
            return self.error(429, -1003, "Too much request weight used", {"Retry-After": "1"})
        for name in ("symbol", "interval"):
            if not params.get(name):
                return self.error(400, -1102, f"Mandatory parameter '{name}' was not sent")
        if params["symbol"] != self.exchange.symbol:
            return self.error(400, -1121, "Invalid symbol.")
        if params["interval"] not in INTERVALS:
            return self.error(400, -1120, "Invalid interval.")
        limit = min(int(params.get("limit", 500)), 1000)
        start, end = int(params.get("startTime", -1)), int(params.get("endTime", 2**62))
        visible = self.exchange.visible(INTERVALS[params["interval"]])
        rows = [row for row in visible if start <= row[0] <= end]
        rows = rows[:limit] if "startTime" in params else rows[-limit:]
        return self.reply(200, rows, {"X-MBX-USED-WEIGHT-1M": str(weight)})

    def error(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.reply(status, {"code": code, "msg": message}, headers)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(self.exchange.clock.timestamp()))


def status(code: int, body: Any = None, headers: dict[str, str] | None = None) -> Fault:
    """An answer with this status; ``body`` is bytes, or becomes JSON."""
    content = {"code": -1000, "msg": "told to fail"} if body is None else body
    return lambda handler: handler.reply(code, content, headers)


def html(code: int = 200) -> Fault:
    """A page for people where JSON belongs."""
    page = b"<html><body><h1>Just a moment...</h1></body></html>"
    return lambda handler: handler.reply(code, page, {"Content-Type": "text/html"})


def redirect(location: str) -> Fault:
    """A 302 to another address."""
    return lambda handler: handler.reply(302, b"", {"Location": location})


def hang(handler: Handler) -> None:
    """Accept the request and say nothing until the exchange stops."""
    handler.exchange.closing.wait(30)
    handler.close_connection = True


def drip(seconds: float) -> Fault:
    """Announce a long body and send it one byte every ``seconds``."""

    def send(handler: Handler) -> None:
        handler.start(200, 10_000)
        _slowly(handler, b" " * 10_000, seconds)

    return send


def drip_headers(seconds: float) -> Fault:
    """Send even the status line one byte every ``seconds``."""
    return lambda handler: _slowly(handler, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000, seconds)


def truncated(handler: Handler) -> None:
    """Break off in the middle of the body."""
    handler.start(200, 10_000)
    handler.wfile.write(b'[[1502928000000,"42')
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """Drop the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """A body without end."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    try:
        while not handler.exchange.closing.is_set():
            handler.wfile.write(b" " * 2**16)
    except OSError:
        pass


def rows_of(rows: Iterable[list[Any]]) -> Fault:
    """A list of exactly these rows, whatever was asked."""
    return status(200, list(rows))


def _slowly(handler: Handler, body: bytes, seconds: float) -> None:
    handler.close_connection = True
    try:
        for byte in body:
            if handler.exchange.closing.wait(seconds):
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
    except OSError:
        pass
