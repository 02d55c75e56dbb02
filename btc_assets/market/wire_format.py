"""One row of Binance's kline format, as REST, dumps and landing zone carry it, made into a `Kline`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal

from btc_assets.errors import BadCandle
from btc_assets.market.calendar import DAILY, Interval
from btc_assets.market.kline import Kline, check

COLUMNS = (
    "open time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close time",
    "quote volume",
    "trades",
    "taker buy base volume",
    "taker buy quote volume",
    "ignore",
)
"""The twelve fields in the exchange's order (spot API docs, "Kline/Candlestick data")."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECONDS_FROM = 10**14
"""Smaller time stamps are milliseconds (until the year 5138), larger ones microseconds (from 1973)."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,400})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)


def parse_row(row: object, *, symbol: str, source: str, where: str, interval: Interval = DAILY) -> Kline:
    """Check and return the candle of length ``interval`` in ``row``, twelve fields; numbers may be text.

    Time stamps in milliseconds and in microseconds give the same candle: the close time keeps whole
    milliseconds. ``where`` says in errors where the row came from (an address, or file and line).

    Raises:
        BadCandle: not twelve fields, a field that is not a number, or a candle that cannot be true.
    """
    if not isinstance(row, Sequence) or isinstance(row, str | bytes):
        raise BadCandle(f"{where}: expected a row of {len(COLUMNS)} fields, got {_shown(row)}")
    if len(row) < len(COLUMNS):
        raise BadCandle(f"{where}: column {COLUMNS[len(row)]!r} is missing ({len(row)} of 12): {_shown(row)}")
    if len(row) > len(COLUMNS):
        raise BadCandle(
            f"{where}: {len(row)} columns; there is none after {COLUMNS[-1]!r}, "
            f"but the row goes on with {_shown(row[12])}: {_shown(row)}"
        )
    number = [_number(value, name, where, row) for name, value in zip(COLUMNS[:-1], row, strict=False)]
    opens, closes = _instant(int(number[0]), where, row), _instant(int(number[6]), where, row)
    kline = Kline(
        symbol=symbol,
        date=opens.date(),
        open=number[1],
        high=number[2],
        low=number[3],
        close=number[4],
        volume=number[5],
        quote_volume=number[7],
        trades=int(number[8]),
        taker_buy_base=number[9],
        taker_buy_quote=number[10],
        open_time=opens,
        close_time=closes.replace(microsecond=closes.microsecond // 1000 * 1000),
        source=source,
    )
    try:
        return check(kline, interval)
    except BadCandle as error:
        raise BadCandle(f"{error} ({where}: {_shown(row)})") from None


def to_row(kline: Kline) -> list[str]:
    """Write ``kline`` as twelve fields of text (milliseconds); ``parse_row`` gives the same candle back."""
    return [
        str(milliseconds(kline.open_time)),
        *(_decimal(value) for value in (kline.open, kline.high, kline.low, kline.close, kline.volume)),
        str(milliseconds(kline.close_time)),
        _decimal(kline.quote_volume),
        str(kline.trades),
        _decimal(kline.taker_buy_base),
        _decimal(kline.taker_buy_quote),
        "0",
    ]


def milliseconds(instant: dt.datetime) -> int:
    """Return whole milliseconds since 1970 (UTC), as the exchange counts time."""
    return (instant - _EPOCH) // dt.timedelta(milliseconds=1)


def from_milliseconds(value: int) -> dt.datetime:
    """Return the instant (UTC) ``value`` milliseconds after 1970.

    Raises:
        OverflowError: no calendar reaches that far.
    """
    return _EPOCH + dt.timedelta(milliseconds=value)


def _decimal(value: float) -> str:
    """Return the shortest decimal text, without an exponent, that reads back as ``value``."""
    return format(Decimal(repr(value)), "f")


def _number(value: object, name: str, where: str, row: object) -> float | int:
    """Return ``value`` as a number; times and counts must be whole."""
    whole = name in ("open time", "close time", "trades")
    if isinstance(value, str):
        if not (_WHOLE if whole else _DECIMAL).fullmatch(value):
            kind = "a whole number" if whole else "a decimal number"
            raise BadCandle(f"{where}: column {name!r} = {_shown(value)} is not {kind}: {_shown(row)}")
        return int(value) if whole else float(value)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise BadCandle(f"{where}: column {name!r} = {_shown(value)} is not a number: {_shown(row)}")
    if isinstance(value, int) and abs(value) >= 10**20:
        raise BadCandle(f"{where}: column {name!r} is absurdly large")
    return value


def _instant(stamp: int, where: str, row: object) -> dt.datetime:
    """Return the instant (UTC) of a time stamp in milliseconds or microseconds."""
    try:
        if abs(stamp) >= _MICROSECONDS_FROM:
            return _EPOCH + dt.timedelta(microseconds=stamp)
        return from_milliseconds(stamp)
    except OverflowError:
        raise BadCandle(f"{where}: time stamp {stamp} lies outside the calendar: {_shown(row)}") from None


def _shown(value: object) -> str:
    """Return ``value`` for an error message, cut to a readable length."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a huge number"
    return text if len(text) <= 240 else text[:237] + "..."
