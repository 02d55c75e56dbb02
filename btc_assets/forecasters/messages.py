"""Messages between a forecaster's process and the one that asks: a line of JSON, then bytes of known sizes.

Nothing in them can run code when it is read: tables are Arrow, numbers are bytes of doubles.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any, BinaryIO

import polars as pl

from btc_assets.forecasters.protocol import Observed

LARGEST = 256 * 1024 * 1024
"""Bytes of a line or a part that are read at most."""


def write_message(stream: BinaryIO, head: dict[str, Any], *parts: bytes) -> None:
    """Write ``head``, plain JSON values, and ``parts``."""
    line = json.dumps(head | {"sizes": [len(part) for part in parts]})
    stream.write(line.encode() + b"\n" + b"".join(parts))
    stream.flush()


def printable(text: str) -> str:
    """Return ``text`` with a question mark for each character that no table takes or that moves a cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Read what ``write_message`` wrote.

    Raises:
        ValueError: the stream has ended, or holds something else.
    """
    try:
        head = json.loads(stream.readline(LARGEST))
    except RecursionError as error:
        raise ValueError("no message, but lists in lists without end") from error
    sizes = head.pop("sizes", None) if isinstance(head, dict) else None
    if not isinstance(sizes, list):
        raise ValueError("no message")  # noqa: TRY004, whoever asks awaits one error
    if not all(type(size) is int and 0 <= size <= LARGEST for size in sizes):
        raise ValueError("a message with parts of impossible sizes")
    parts = [stream.read(size) for size in sizes]
    if [len(part) for part in parts] != sizes:
        raise ValueError("a message that breaks off")
    return head, parts


def write_observed(stream: BinaryIO, observed: Observed) -> None:
    """Write what is known at an origin."""
    head = {"symbol": observed.symbol, "origin": str(observed.origin), "series": list(observed.series)}
    write_message(stream, head, _table(observed.candles), *map(_table, observed.series.values()))


def read_observed(stream: BinaryIO) -> Observed:
    """Read what ``write_observed`` wrote; ValueError: there is none any more."""
    head, (candles, *others) = read_message(stream)
    series = {name: pl.read_ipc(part) for name, part in zip(head["series"], others, strict=True)}
    return Observed(head["symbol"], dt.date.fromisoformat(head["origin"]), pl.read_ipc(candles), series)


def _table(rows: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    rows.rechunk().write_ipc(content)
    return content.getvalue()
