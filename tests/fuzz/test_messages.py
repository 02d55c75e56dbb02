"""Messages of a forecaster's process: any bytes are a message or a ValueError, and it arrives as sent."""

from __future__ import annotations

import contextlib
import io

from mutation import fuzzed

from btc_assets.forecasters.messages import read_message, read_observed, write_message, write_observed
from btc_assets.forecasters.protocol import Needs
from btc_assets.forecasters.simulated_data import simulated_data
from btc_assets.market.calendar import DAY, FIRST_DAY

ORIGIN = FIRST_DAY + 40 * DAY
DATA = simulated_data(["raw_klines_4h"], ORIGIN + DAY)


@fuzzed("message")
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        head, parts = read_message(io.BytesIO(data))
        written = io.BytesIO()
        write_message(written, head, *parts)
        assert read_message(io.BytesIO(written.getvalue())) == (head, parts)


def test_what_is_told_arrives_as_it_was() -> None:
    given = DATA.observed(ORIGIN, Needs(days=20, series=("raw_klines_4h",)))
    pipe = io.BytesIO()
    write_observed(pipe, given)
    pipe.seek(0)
    arrived = read_observed(pipe)
    assert (arrived.symbol, arrived.origin) == (given.symbol, given.origin)
    assert arrived.candles.equals(given.candles)
    assert arrived.series["raw_klines_4h"].equals(given.series["raw_klines_4h"])
