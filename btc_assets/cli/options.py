"""Arguments that several commands share, each parsed and refused in one place."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from btc_assets.errors import ConfigurationError
from btc_assets.market.calendar import DAY, FIRST_DAY, last_closed_day

Model = Annotated[str, typer.Option("--model", help="mlp, lstm or ensemble.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Origin, YYYY-MM-DD; the newest unless given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]

SOURCE_DOWN = 75
"""Exit code where the source does not answer: what is stored can be served, and it is asked again later."""


def parse_day(text: str, flag: str) -> dt.date:
    """Parse the day in ``text``.

    Raises:
        ConfigurationError: not a real day written YYYY-MM-DD.
    """
    try:
        day = dt.date.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"{flag} {text!r} is not a day; write it YYYY-MM-DD, e.g. 2024-02-29"
        ) from None
    return day


def closed_day(text: str, flag: str) -> dt.date:
    """Parse a day that is over and not before the first candle.

    Raises:
        ConfigurationError: not a day, in the future or still running, or before the listing.
    """
    day = parse_day(text, flag)
    newest = last_closed_day(dt.datetime.now(dt.UTC))
    if day > newest:
        raise ConfigurationError(f"{flag} {day} is not over yet; the newest closed day is {newest} (UTC)")
    if day < FIRST_DAY:
        raise ConfigurationError(
            f"{flag} {day} lies before the first candle; the earliest day is {FIRST_DAY}"
        )
    return day


def day_range(start: str, end: str) -> tuple[dt.date, dt.date]:
    """Parse ``--from`` and ``--to`` (both included) as the half-open range [start, end).

    Raises:
        ConfigurationError: one of them is no closed day, or the range runs backwards.
    """
    first, last = closed_day(start, "--from"), closed_day(end, "--to")
    if last < first:
        raise ConfigurationError(f"the range runs backwards: --from {first} is after --to {last}; swap them")
    return first, last + DAY


def one_of(value: str, allowed: Iterable[str], what: str) -> str:
    """Return ``value`` if it is allowed.

    Raises:
        ConfigurationError: it is not; names the nearest one that is, and all of them.
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    near = difflib.get_close_matches(value, allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigurationError(f"unknown {what} {value!r}: {hint}known are {', '.join(allowed)}")


def many_of(text: str, allowed: Sequence[str], what: str) -> list[str]:
    """Parse a comma-separated list of allowed names; they come back in the order of ``allowed``."""
    chosen = {one_of(name.strip(), allowed, what) for name in text.split(",") if name.strip()}
    if not chosen:
        raise ConfigurationError(f"no {what} named; known are {', '.join(allowed)}")
    return [name for name in allowed if name in chosen]
