"""What a visitor asks for, checked in one place for the URL, the form and the API alike."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs, urlencode

from btc_assets.contracts import HORIZONS, MODELS, NETWORKS
from btc_assets.market.calendar import FIRST_DAY

DEFAULT_DAYS = 14
DEFAULT_MODEL = "ensemble"
PRESETS = (7, 14, 30, 90)
VIEWS = ("line", "candles")
STARTS = ("close", "now")
SPANS = {"50": 50, "180": 180, "365": 365, "all": None}
"""Days of history a chart can show; None is all of it."""

KINDS = ("all", "live", "backfilled")
"""Which scored forecasts count: all, those issued in time, those made afterwards."""

Q = TypeVar("Q")

_LONGEST = 32
_LONGEST_SEARCH = 2000
_DIGITS = re.compile(r"[0-9]{1,4}", re.ASCII)
VINTAGE_NAME = "[0-9]{4}-[0-9]{2}-[0-9]{2}(-r[1-9][0-9]?)?"
"""How vintages are called: their cutoff and, after changed hyper-parameters, a revision."""

_VINTAGE = re.compile(VINTAGE_NAME, re.ASCII)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the forecast page.

    ``days`` ahead (1 to 90), ``model``, ``as_of`` (the origin to travel back to; None is the newest),
    ``span`` (a key of SPANS), ``view`` (line or candles), ``start`` (from the last close, or from the
    running day as it stands now) and ``vintage`` (the name of the one to ask; None is the one in force).
    """

    days: int = DEFAULT_DAYS
    model: str = DEFAULT_MODEL
    as_of: dt.date | None = None
    span: str = "50"
    view: str = "line"
    start: str = "close"
    vintage: str | None = None

    @property
    def search(self) -> str:
        """The query string that asks this again; parts at their defaults are left out."""
        parts: dict[str, str] = {"days": str(self.days), "model": self.model}
        if self.as_of:
            parts["as_of"] = self.as_of.isoformat()
        if self.span != "50":
            parts["span"] = self.span
        if self.view != "line":
            parts["view"] = self.view
        if self.start != "close":
            parts["start"] = self.start
        if self.vintage:
            parts["vintage"] = self.vintage
        return "?" + urlencode(parts)


def arguments(search: object) -> Mapping[str, object]:
    """The parameters of a query string; one given twice stays a list, which no parser takes."""
    if not isinstance(search, str) or len(search) > _LONGEST_SEARCH:
        return {}
    try:
        found = parse_qs(search.removeprefix("?"), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        return {}
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def unknown(given: Mapping[str, object], allowed: tuple[str, ...]) -> dict[str, str]:
    """What to say about parameters that do not exist, with the nearest that does."""
    found = {}
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name[:_LONGEST], allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(allowed)}."
            found[name[:_LONGEST]] = f"{_quote(name)} is not a parameter; {hint}"
    return found


class BadValueError(ValueError):
    """A value nobody can answer; the message says what is allowed."""


def parse(values: Mapping[str, object], last: dt.date | None) -> tuple[Question, dict[str, str]]:
    """The question in ``values`` and, by field, what is wrong with it.

    A field with something wrong falls back to its default, so that a bad link still shows a forecast
    next to the message. ``last`` is the last day a forecast can start from, None if unknown. Values may be
    anything.
    """
    parsers: dict[str, Callable[[object], object]] = {
        "days": parse_days,
        "model": lambda value: choice(value, "model", MODELS),
        "as_of": lambda value: parse_day(value, last),
        "span": lambda value: choice(value, "span", tuple(SPANS)),
        "view": lambda value: choice(value, "view", VIEWS),
        "start": lambda value: choice(value, "start", STARTS),
        "vintage": parse_vintage,
    }
    return _parse(Question, values, parsers)


def _parse(
    kind: type[Q], values: Mapping[str, object], parsers: Mapping[str, Callable[[object], object]]
) -> tuple[Q, dict[str, str]]:
    """Read each field with its parser; what is absent or wrong keeps its default."""
    good: dict[str, object] = {}
    bad: dict[str, str] = {}
    for name, read in parsers.items():
        if values.get(name) is None or (values[name] == "" and name != "days"):
            continue
        try:
            good[name] = read(values[name])
        except BadValueError as complaint:
            bad[name] = str(complaint)
    return kind(**good), bad


def parse_days(value: object) -> int:
    """A whole number of days from 1 to 90, given as text or a number."""
    wanted = f"a whole number of days from 1 to {HORIZONS}"
    if value == "":
        raise BadValueError(f"Enter {wanted}.")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        value = int(value)
    text = _text(value)
    days = int(text) if text is not None and _DIGITS.fullmatch(text) else 0
    if not 1 <= days <= HORIZONS:
        raise BadValueError(f"{_quote(value)} is not {wanted}.")
    return days


def parse_day(value: object, last: dt.date | None) -> dt.date:
    """A past UTC day, written YYYY-MM-DD, from the first candle to ``last``."""
    day = as_day(value)
    if day is None:
        raise BadValueError(f"{_quote(value)} is not a date such as {FIRST_DAY:%Y-%m-%d}.")
    if day < FIRST_DAY:
        raise BadValueError(f"{day} lies before the first candle, {FIRST_DAY}.")
    if last is not None and day > last:
        raise BadValueError(f"{day} lies after the last closed day, {last}.")
    return day


def as_day(value: object) -> dt.date | None:
    """The day that ``value`` writes as YYYY-MM-DD, None where it is no such thing."""
    text = _text(value)
    try:
        return dt.date.fromisoformat(text) if text and _ISO_DAY.fullmatch(text) else None
    except ValueError:
        return None


def choice(value: object, name: str, allowed: tuple[str, ...]) -> str:
    """One of ``allowed``, in any case."""
    text = _text(value)
    if text is None or text.lower() not in allowed:
        raise BadValueError(
            f"{_quote(value)} is not a {name}; choose {', '.join(allowed[:-1])} or {allowed[-1]}."
        )
    return text.lower()


def _text(value: object) -> str | None:
    """``value`` as short text, or None where it is no text or whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int) and abs(value) >= 10**9:
        return None
    text = str(value).strip()
    return text if len(text) <= _LONGEST else None


def _quote(value: object) -> str:
    """What was given, shortened and without control characters, to show back to the visitor."""
    kinds = {list: "A list", dict: "An object", bool: "A truth value"}
    if type(value) in kinds:
        return kinds[type(value)]
    shown = value if isinstance(value, str) else repr(value)[:_LONGEST]
    clean = "".join(c if c.isprintable() else "?" for c in shown[: _LONGEST + 1])
    return f"“{clean if len(clean) <= 16 else clean[:15] + '…'}”"


@dataclass(frozen=True, slots=True)
class RecordQuestion:
    """One question to the track record: a horizon, a model and which forecasts count."""

    days: int = DEFAULT_DAYS
    model: str = DEFAULT_MODEL
    kind: str = "all"

    @property
    def search(self) -> str:
        """The query string that asks this again."""
        return "?" + urlencode({"days": str(self.days), "model": self.model, "kind": self.kind})


def parse_record(values: Mapping[str, object]) -> tuple[RecordQuestion, dict[str, str]]:
    """The question to the track record in ``values`` and, by field, what is wrong with it."""
    return _parse(RecordQuestion, values, {
        "days": parse_days,
        "model": lambda value: choice(value, "model", MODELS),
        "kind": lambda value: choice(value, "kind", KINDS),
    })  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """One question to the models page: a network and the name of one of its vintages (None: the newest)."""

    model: str = NETWORKS[0]
    vintage: str | None = None


def parse_model(values: Mapping[str, object]) -> tuple[ModelQuestion, dict[str, str]]:
    """The question to the models page in ``values`` and, by field, what is wrong with it."""
    return _parse(ModelQuestion, values, {
        "model": lambda value: choice(value, "model", NETWORKS),
        "vintage": parse_vintage,
    })  # fmt: skip


def parse_vintage(value: object) -> str:
    """A vintage's name: its cutoff and, after changed hyper-parameters, ``-r`` and a number."""
    text = _text(value)
    if text is None or not _VINTAGE.fullmatch(text):
        raise BadValueError(f"{_quote(value)} is not the name of a vintage, such as {FIRST_DAY:%Y-%m-%d}.")
    return text
