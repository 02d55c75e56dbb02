"""Deribit on loopback: its public JSON-RPC over HTTP, with made-up values, and faults when told to.

It pages as Deribit does: the newest candles of the range come first, at most ``page`` of them, and
``continuation`` is what to ask up to next.
"""

from __future__ import annotations

import datetime as dt
import math
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from exchange import Exchange, Fault, Handler, Request, status

from btc_assets.market.calendar import closes_at, opens_at
from btc_assets.market.wire_format import milliseconds

HOUR = 3_600_000
METHOD = "/api/v2/public/get_volatility_index_data"
TIME = "/api/v2/public/get_time"


@dataclass
class DeribitServer(Exchange):
    """The server: hourly candles by their first instant (milliseconds), of one currency."""

    candles: dict[int, list[Any]] = field(default_factory=dict)
    currency: str = "BTC"
    page: int = 1000

    def __post_init__(self) -> None:
        self.rows = {dt.date(2017, 8, 17): []}  # it lists no candles of prices

    def handler(self) -> type[Handler]:
        return DeribitHandler

    def list_hours(self, start: dt.date, last: dt.date) -> None:
        """Make up the candles of the days from ``start`` to ``last``; each is a function of its hour."""
        for at in range(milliseconds(opens_at(start)), milliseconds(closes_at(last)), HOUR):
            close = made_up(at)
            self.candles[at] = [at, close - 0.5, close + 1.0, close - 1.0, close]

    def set_close(self, day: dt.date, close: float) -> None:
        """Change the value of a day after the fact."""
        at = last_hour(day)
        self.candles[at] = [at, close, close + 1.0, close - 1.0, close]


def last_hour(day: dt.date) -> int:
    """The first instant of the last candle of ``day``."""
    return milliseconds(closes_at(day)) - HOUR


def made_up(at: int) -> float:
    """A level for the hour that begins at ``at``."""
    hours = at // HOUR
    return round(60 + 15 * math.sin(hours / 300) + 4 * math.sin(hours / 17) + hours % 7 / 10, 2)


def value_of(day: dt.date) -> float:
    """The made-up value of a day."""
    return made_up(last_hour(day))


class DeribitHandler(Handler):
    """One connection."""

    exchange: DeribitServer

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        params = dict(urllib.parse.parse_qsl(address.query))
        fault = self.exchange.next_fault(Request(address.path, params, dict(self.headers.items())))
        if fault is not None:
            fault(self)
        elif address.path == TIME:
            self.result(milliseconds(self.exchange.clock))
        elif address.path == METHOD:
            self.index(params)
        else:
            self.refuse(404, -32601, "Method not found")

    def index(self, params: dict[str, str]) -> None:
        if params.get("currency") != self.exchange.currency or params.get("resolution") != "3600":
            return self.refuse(400, -32602, "Invalid params")
        first, until = int(params["start_timestamp"]), int(params["end_timestamp"])
        now = milliseconds(self.exchange.clock)
        known = [at for at in sorted(self.exchange.candles) if first <= at <= min(until, now)]
        shown, rest = known[-self.exchange.page :], known[: -self.exchange.page]
        data = [self.exchange.candles[at] for at in shown]
        return self.result({"data": data, "continuation": rest[-1] if rest else None})

    def result(self, value: Any) -> None:
        at = milliseconds(self.exchange.clock) * 1000
        self.reply(
            200, {"jsonrpc": "2.0", "result": value, "usIn": at, "usOut": at, "usDiff": 0, "testnet": False}
        )

    def refuse(self, code: int, number: int, message: str) -> None:
        self.reply(code, {"jsonrpc": "2.0", "error": {"code": number, "message": message}, "testnet": False})


def limited(code: int = 429, headers: dict[str, str] | None = None) -> Fault:
    """What a client without credits hears."""
    error = {"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}}
    return status(code, error, headers)


def candles_of(*candles: Any, continuation: Any = None) -> Fault:
    """A page of exactly these, whatever was asked."""
    return status(200, {"jsonrpc": "2.0", "result": {"data": list(candles), "continuation": continuation}})
