"""The questions that can be asked of a forecast, and why some cannot be answered."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from btc_assets.contracts import HORIZONS
from btc_assets.errors import ConfigurationError
from btc_assets.market.calendar import DAY

Event = Literal["above", "below", "between", "touch", "stay", "fall", "range", "worth"]

EVENTS: tuple[Event, ...] = get_args(Event)


class ImpossibleQuestion(ConfigurationError):
    """A question that has no answer; the message is one sentence that says why and what can be asked."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        """The part of the question that is wrong: event, price, low, high, fall, amount, days or by."""


@dataclass(frozen=True, slots=True)
class Close:
    """Will the close ``days`` ahead lie above ``low`` and below ``high`` (USDT, both ends excluded)?"""

    days: int
    low: float = 0.0
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class Touch:
    """Will the price reach ``price`` (USDT) at any time within ``days``, and when first?"""

    days: int
    price: float


@dataclass(frozen=True, slots=True)
class Stay:
    """Will the price never leave ``low`` to ``high`` (USDT) within ``days``?"""

    days: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fall:
    """Will the price fall by ``share`` (0 to 1) within ``days``, from here or from its highest since?"""

    days: int
    share: float
    from_peak: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """How high and how low will the price go within ``days``?"""

    days: int


@dataclass(frozen=True, slots=True)
class Worth:
    """What will ``amount`` (BTC) be worth ``days`` ahead, and how much of today's worth may be lost?"""

    days: int
    amount: float


Question = Close | Touch | Stay | Fall | Range | Worth

PARTS: Mapping[Event, tuple[str, ...]] = {
    "above": ("price",),
    "below": ("price",),
    "between": ("low", "high"),
    "touch": ("price",),
    "stay": ("low", "high"),
    "fall": ("fall", "since"),
    "range": (),
    "worth": ("amount",),
}
"""What each event asks for besides its day."""


def positional(event: str, given: Sequence[str]) -> dict[str, str]:
    """Name the values that were written after an event, in the order of its PARTS.

    Raises:
        ImpossibleQuestion: more values than it takes.
    """
    names = [part for part in PARTS.get(cast(Event, event), ()) if part != "since"]
    if event in PARTS and len(given) > len(names):
        wanted = f"takes {' and '.join(names)}" if names else "takes no value"
        raise ImpossibleQuestion("event", f"{event} {wanted}, not {' '.join(map(_shown, given))}.")
    return dict(zip(names, given, strict=False))


def read_price(text: str, start: float, name: str = "price") -> float:
    """Read a price in USDT, given as such or as per cent of ``start``.

    Raises:
        ImpossibleQuestion: it is none; ``name`` is the part that is wrong.
    """
    text = text.strip().removeprefix("$")
    number = _number(text.removesuffix("%").strip())
    if number is None:
        raise ImpossibleQuestion(name, f"{_shown(text)} is not a price such as 100000 or +10%.")
    price = start * (1.0 + number / 100.0) if text.endswith("%") else number
    if not price > 0:
        raise ImpossibleQuestion(name, "A price is more than 0.")
    return price


def question(values: Mapping[str, str], origin: dt.date, start: float) -> Question:
    """Read a question as people write it.

    Args:
        values: ``event`` (one of EVENTS) with its PARTS, and ``days`` (ahead) or ``by`` (YYYY-MM-DD). Prices
            are USDT or per cent of the close (``100000``, ``+10%``), ``fall`` is per cent, ``since`` is here
            or peak, ``amount`` coins.
        origin: the last closed day (UTC), from whose close the forecast is made.
        start: that close, USDT.

    Raises:
        ImpossibleQuestion: a part is missing, no number or another event's, the day is over or further off
            than forecasts reach, the level is reached already.
    """
    event = cast(Event, values.get("event", "").strip().lower())
    if event not in PARTS:
        raise ImpossibleQuestion("event", f"{_shown(event)} is no event; ask for {', '.join(EVENTS)}.")
    _refuse_others(event, values)
    days = read_days(values, origin)
    if event in ("above", "below"):
        price = _price(values, "price", start)
        return Close(days, low=price) if event == "above" else Close(days, high=price)
    if event in ("between", "stay"):
        return _band(event, days, _price(values, "low", start), _price(values, "high", start), start)
    if event == "touch":
        return _touch(days, _price(values, "price", start), start)
    if event == "fall":
        return _fall(days, values)
    if event == "range":
        return Range(days)
    return Worth(days, _positive(values, "amount", "an amount such as 0.5"))


def _refuse_others(event: Event, values: Mapping[str, str]) -> None:
    takes = PARTS[event]
    for name in sorted({part for parts in PARTS.values() for part in parts}.difference(takes)):
        if values.get(name, "").strip():
            wanted = " and ".join(takes) or "nothing but its day"
            raise ImpossibleQuestion(name, f"{event} takes {wanted}, no {name}.")


def read_days(values: Mapping[str, str], origin: dt.date) -> int:
    """Read how many days after ``origin`` are asked about, from ``days`` or ``by``.

    Raises:
        ImpossibleQuestion: both or neither is given, or forecasts do not reach there.
    """
    by, days = values.get("by", "").strip(), values.get("days", "").strip()
    last = origin + HORIZONS * DAY
    if bool(by) == bool(days):
        both = ", not both" if days else ""
        raise ImpossibleQuestion("days", f"Say a number of days or the date by which{both}.")
    if days:
        ahead = int(days) if re.fullmatch(r"[+-]?\d{1,6}", days, re.ASCII) else 0
        if not 1 <= ahead <= HORIZONS:
            raise ImpossibleQuestion(
                "days",
                f"{_shown(days)} is not a number of days from 1 to {HORIZONS}, so far forecasts reach.",
            )
        return ahead
    try:
        target = dt.date.fromisoformat(by)
    except ValueError:
        raise ImpossibleQuestion("by", f"{_shown(by)} is not a date such as {last}.") from None
    if target <= origin:
        raise ImpossibleQuestion("by", f"{target} is over; ask for a day from {origin + DAY} on.")
    if target > last:
        raise ImpossibleQuestion(
            "by",
            f"{target} is further off than forecasts reach; ask for a day up to {last} ({HORIZONS} days).",
        )
    return (target - origin).days


_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d{1,15})?(\.\d{1,10})?", re.ASCII)


def _number(text: str) -> float | None:
    """Return the number in ``text``, with or without commas between thousands; None if it is none."""
    if not _NUMBER.fullmatch(text) or not any(sign.isdigit() for sign in text):
        return None
    return float(text.replace(",", ""))


def _price(values: Mapping[str, str], name: str, start: float) -> float:
    return read_price(values.get(name, ""), start, name)


def _positive(values: Mapping[str, str], name: str, wanted: str) -> float:
    text = values.get(name, "").strip()
    number = _number(text)
    if number is None or not number > 0:
        raise ImpossibleQuestion(name, f"{_shown(text)} is not {wanted}.")
    return number


def _band(event: str, days: int, low: float, high: float, start: float) -> Close | Stay:
    if not low < high:
        raise ImpossibleQuestion(
            "high", f"The upper price, {high:,.2f}, must be above the lower one, {low:,.2f}."
        )
    if event == "between":
        return Close(days, low, high)
    if not low < start < high:
        raise ImpossibleQuestion(
            "low", f"The price is outside already: it closed at {start:,.2f}; ask for a band around that."
        )
    return Stay(days, low, high)


def _touch(days: int, price: float, start: float) -> Touch:
    if abs(price / start - 1.0) < 1e-9:
        raise ImpossibleQuestion("price", f"The price is there already: it closed at {start:,.2f}.")
    return Touch(days, price)


def _fall(days: int, values: Mapping[str, str]) -> Fall:
    text = {"fall": values.get("fall", "").strip().removesuffix("%").strip().removeprefix("-")}
    percent = _positive(text, "fall", "a fall in per cent such as 20")
    if percent >= 100:
        raise ImpossibleQuestion("fall", "A price cannot fall by 100 % or more.")
    since = values.get("since", "").strip() or "here"
    if since not in ("here", "peak"):
        raise ImpossibleQuestion("since", f"{_shown(since)} is not a start of a fall; say here or peak.")
    return Fall(days, percent / 100.0, since == "peak")


def _shown(text: str) -> str:
    """Return what was given, shortened and printable, in quotation marks."""
    clean = "".join(sign if sign.isprintable() else "?" for sign in text[:24])
    return f"“{clean}”" if clean else "Nothing"
