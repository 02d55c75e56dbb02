"""The kline parser: any bytes are a true candle or a `BadCandle`."""

from __future__ import annotations

import csv
import io
import json

from candle_assertions import assert_valid
from mutation import fuzzed

from btc_assets.errors import BadCandle
from btc_assets.market.wire_format import parse_row


def parse(row: object) -> None:
    try:
        kline = parse_row(row, symbol="BTCUSDT", source="binance", where="fuzz")
    except BadCandle as error:
        assert len(str(error)) < 2000  # noqa: PT017
        return
    assert_valid(kline)


@fuzzed("kline")
def test_any_bytes_are_a_true_candle_or_a_bad_one(data: bytes) -> None:
    """As JSON rows and as lines of CSV."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        rows = None
    for row in rows if isinstance(rows, list) else [rows]:
        parse(row)
    for line in csv.reader(io.StringIO(data.decode("latin-1"), newline="")):
        parse(line)
