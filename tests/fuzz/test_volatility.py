"""A page of Deribit's index: any bytes are candles that were asked for, or a `BadCandle`."""

from __future__ import annotations

import datetime as dt
import json

from mutation import fuzzed

from btc_assets.errors import BadCandle
from btc_assets.market.calendar import opens_at
from btc_assets.market.sources.deribit import HIGHEST, HOUR, read_page
from btc_assets.market.wire_format import milliseconds

FIRST = milliseconds(opens_at(dt.date(2024, 1, 1)))
UNTIL = FIRST + 48 * HOUR - 1


@fuzzed("volatility")
def test_any_bytes_are_a_page_of_what_was_asked_for_or_a_bad_one(data: bytes) -> None:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        page, before = read_page(answer, FIRST, UNTIL, "fuzz")
    except BadCandle as error:
        assert len(str(error)) < 2000  # noqa: PT017
        return
    assert before is None or before < UNTIL
    for at, close in page:
        assert FIRST <= at <= UNTIL
        assert at % HOUR == 0
        assert 0 < close < HIGHEST
