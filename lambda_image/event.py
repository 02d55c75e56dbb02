"""What an invocation asks for: which day to land. The day comes from the event, never from the clock."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from btc_assets.errors import ConfigurationError
from btc_assets.market.calendar import FIRST_DAY, last_closed_day

LAST_DAY = dt.date(2262, 4, 10)
"""The last whole day whose instants fit into 64 bits of nanoseconds."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class EventError(ConfigurationError):
    """The event is none that this function knows; it belongs in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Order:
    """Land the candles up to ``day``, and start Dagster's run for it if ``launch``."""

    day: dt.date
    launch: bool = True
    last_call: bool = False
    """If this fails too, a person must know: there is no candle an hour after midnight."""


def order_of(event: object) -> Order:
    """Return the order in ``event``.

    Known are EventBridge's and EventBridge Scheduler's events, which carry the time they were
    scheduled for (``{"source": "aws.scheduler", "time": "2025-07-01T00:05:00Z", ...}`` means the day
    that was over then, 2025-06-30, however late it is delivered), and a person's
    ``{"day": "2025-06-30", "launch": false}``. Both may say ``"last_call": true``.

    Raises:
        EventError: anything else, and days that no candle can be for.
    """
    if not isinstance(event, dict):
        raise EventError(f"the event is no object: {event!r:.200}")
    if "day" in event:
        day = _date(event["day"])
    elif event.get("source") in ("aws.scheduler", "aws.events"):
        day = _closed_before(_time(event.get("time")))
    else:
        raise EventError(f"the event is neither EventBridge's nor has a 'day': {event!r:.200}")
    if day < FIRST_DAY:
        raise EventError(f"the event means {day}, before the first candle on {FIRST_DAY}")
    if day > LAST_DAY:
        raise EventError(f"the event means {day}, of which no candle will ever be asked")
    return Order(day, _flag(event, "launch", True), _flag(event, "last_call", False))


def _flag(event: dict[str, Any], name: str, default: bool) -> bool:
    value = event.get(name, default)
    if not isinstance(value, bool):
        raise EventError(f"{name!r} = {value!r:.100} is neither true nor false")
    return value


def _date(value: object) -> dt.date:
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise EventError(f"'day' = {value!r:.100} is no date like 2025-06-30")


def _closed_before(time: dt.datetime) -> dt.date:
    try:
        return last_closed_day(time)
    except OverflowError:
        raise EventError(f"'time' = {time} has no day before it") from None


def _time(value: object) -> dt.datetime:
    try:
        if isinstance(value, str):
            time = dt.datetime.fromisoformat(value)
            if time.tzinfo is not None:
                return time.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise EventError(f"'time' = {value!r:.100} is no instant like 2025-07-01T00:05:00Z")
