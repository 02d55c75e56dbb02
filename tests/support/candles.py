"""Candles and dumps for tests, made by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

from btc_assets.market.calendar import FOUR_HOURS, closes_at, opens_at
from btc_assets.market.kline import Kline
from btc_assets.market.wire_format import milliseconds

DAY = dt.timedelta(days=1)


def candle(date: dt.date, *, close: float = 100.0, trades: int = 1000, source: str = "binance") -> Kline:
    """A plain candle that passes every check."""
    return Kline(
        symbol="BTCUSDT",
        date=date,
        open=close,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=10.0,
        quote_volume=10.0 * close,
        trades=trades,
        taker_buy_base=4.0,
        taker_buy_quote=4.0 * close,
        open_time=opens_at(date),
        close_time=closes_at(date) - dt.timedelta(milliseconds=1),
        source=source,
    )


def bars_of(date: dt.date, *, close: float = 100.0) -> list[Kline]:
    """The six 4-hour candles of ``candle(date)``."""
    day = candle(date, close=close)
    return [
        replace(
            day,
            volume=1.5,
            quote_volume=1.5 * close,
            trades=160,
            taker_buy_base=0.5,
            taker_buy_quote=0.5 * close,
            open_time=(opens := day.open_time + place * FOUR_HOURS.step),
            close_time=opens + FOUR_HOURS.step - dt.timedelta(milliseconds=1),
        )
        for place in range(6)
    ]


def csv_line(date: dt.date, *, close: str = "100.00000000", micro: bool = False) -> str:
    """A line of a dump, in milliseconds or microseconds."""
    opens, closes = milliseconds(opens_at(date)), milliseconds(closes_at(date))
    first, last = (opens * 1000, closes * 1000 - 1) if micro else (opens, closes - 1)
    prices, quote = ",".join([close] * 4), float(close)
    return f"{first},{prices},10.0,{last},{10 * quote},1000,4.0,{4 * quote},0"


def write_dump(root: Path, path: str, lines: list[str], *, member: str | None = None) -> Path:
    """A dump file with its CHECKSUM at ``root / path``."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member or file.name.replace(".zip", ".csv"), "\n".join(lines) + "\n")
    file.write_bytes(packed.getvalue())
    checksum(file)
    return file


def checksum(file: Path) -> None:
    """Write the CHECKSUM that fits ``file`` as it is."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name(file.name + ".CHECKSUM").write_text(f"{digest}  {file.name}\n")
