"""The Lambda's event: any JSON is an order for a day that was over, or an error for the dead-letter queue."""

from __future__ import annotations

import datetime as dt
import json

from mutation import fuzzed

from btc_assets.market.calendar import FIRST_DAY
from lambda_image.event import EventError, order_of


@fuzzed("event")
def test_any_event_is_an_order_or_an_error(data: bytes) -> None:
    """L4."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        order = order_of(event)
    except EventError as error:
        assert len(str(error)) < 1000  # noqa: PT017
        return
    assert FIRST_DAY <= order.day < dt.date.max
    assert type(order.launch) is type(order.last_call) is bool
