"""Read one value of a question: days, a day, a choice, a vintage; None is none.

What cannot be read raises ValueError, and the message says what is allowed.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from btc_assets.chances.paths import COUNT
from btc_assets.contracts import HORIZONS
from btc_assets.market.calendar import FIRST_DAY

_LONGEST = 32
_DIGITS = re.compile(r"[0-9]{1,4}", re.ASCII)
VINTAGE_NAME = "[0-9]{4}-[0-9]{2}-[0-9]{2}(-r[1-9][0-9]?)?"
"""How vintages are called: their cutoff and, after changed hyper-parameters, a revision."""

_VINTAGE = re.compile(VINTAGE_NAME, re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """One of ``allowed``, in any case; as a type annotation for pydantic."""

    name: str
    allowed: tuple[str, ...]

    def __call__(self, value: object) -> str:
        """Read ``value``."""
        text = _text(value)
        if text is None or text.lower() not in self.allowed:
            others = f"{', '.join(self.allowed[:-1])} or {self.allowed[-1]}"
            raise ValueError(f"{quote(value)} is no {self.name}; choose {others}.")
        return text.lower()

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        known = core_schema.literal_schema(list(self.allowed))
        return core_schema.no_info_before_validator_function(self, known)


def parse_days(value: object) -> int:
    """Read a whole number of days from 1 to 90, given as text or a number."""
    wanted = f"a whole number of days from 1 to {HORIZONS}"
    if value == "":
        raise ValueError(f"Enter {wanted}.")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        value = int(value)
    return _whole(value, 1, HORIZONS, wanted)


def parse_days_or_mean(value: object) -> int | None:
    """Read a number of days, or ``mean`` (None): the mean over many."""
    return None if value is None or value == "mean" else parse_days(value)


def parse_count(value: object) -> int:
    """Read a whole number of paths."""
    return _whole(value, 2, COUNT, f"a number of paths from 2 to {COUNT}")


def parse_text(value: object) -> str | None:
    """Read a short text, as whoever takes it will understand it; None or nothing is none."""
    text = _text(value)
    if value is not None and text is None:
        raise ValueError(f"{quote(value)} is not a short text.")
    return text or None


def parse_day(value: object, info: ValidationInfo) -> dt.date | None:
    """Read a past UTC day, written YYYY-MM-DD, from the first candle to the context's last day."""
    if value is None:
        return None
    day, last = as_day(value), info.context
    if day is None:
        raise ValueError(f"{quote(value)} is not a date such as {FIRST_DAY:%Y-%m-%d}.")
    if day < FIRST_DAY:
        raise ValueError(f"{day} lies before the first candle, {FIRST_DAY}.")
    if last is not None and day > last:
        raise ValueError(f"{day} lies after the last closed day, {last}.")
    return day


def parse_vintage(value: object) -> str | None:
    """Read a vintage's name: its cutoff and, after changed hyper-parameters, ``-r`` and a number."""
    if value is None:
        return None
    text = _text(value)
    if text is None or not _VINTAGE.fullmatch(text):
        raise ValueError(f"{quote(value)} is not the name of a vintage, such as {FIRST_DAY:%Y-%m-%d}.")
    return text


def as_day(value: object) -> dt.date | None:
    """Return the day that ``value`` writes as YYYY-MM-DD, None where it is no such thing."""
    if type(value) is dt.date:
        return value
    text = _text(value)
    try:
        return dt.date.fromisoformat(text) if text and _ISO_DAY.fullmatch(text) else None
    except ValueError:
        return None


def quote(value: object) -> str:
    """Write what was given, shortened and without control characters, to show back to the visitor."""
    kinds = {list: "A list", dict: "An object", bool: "A truth value"}
    if type(value) in kinds:
        return kinds[type(value)]
    shown = value if isinstance(value, str) else repr(value)[:_LONGEST]
    clean = "".join(c if c.isprintable() else "?" for c in shown[: _LONGEST + 1])
    return f"“{clean if len(clean) <= 16 else clean[:15] + '…'}”"


def _whole(value: object, least: int, most: int, wanted: str) -> int:
    text = _text(value)
    number = int(text) if text is not None and _DIGITS.fullmatch(text) else -1
    if not least <= number <= most:
        raise ValueError(f"{quote(value)} is not {wanted}.")
    return number


def _text(value: object) -> str | None:
    """Return ``value`` as short text, or None where it is no text or whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 10**9:
        return None
    text = str(value).strip()
    return text if len(text) <= _LONGEST else None
