"""The volatility that prices of options imply: one value a day, and what must hold for it to be believed."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Protocol

from btc_assets.errors import BadCandle

LARGEST = 1000.0
"""Per cent a year. Deribit's index of Bitcoin was 30 to 170 in its first five years."""


@dataclass(frozen=True, slots=True)
class ImpliedVolatility:
    """What options said at the close of ``date``, a UTC day.

    ``volatility`` is the standard deviation of the log return over the next 30 days, in per cent a year.
    """

    symbol: str
    date: dt.date
    volatility: float
    source: str


class VolatilitySource(Protocol):
    """A place where implied volatility comes from. It returns values of closed days only and invents none."""

    name: str

    def implied_volatility(self, symbol: str, start: dt.date, end: dt.date) -> list[ImpliedVolatility]:
        """Return the values of the closed days in [start, end), in order, each checked.

        A day without a value (not closed yet, or the source has none) is absent.

        Raises:
            SourceUnavailable, SourceRefused, BadCandle: see ``btc_assets.errors``.
        """


def check_volatility(value: ImpliedVolatility) -> ImpliedVolatility:
    """Return ``value`` if it can be true.

    Raises:
        BadCandle: it is not finite, not positive or absurdly large.
    """
    if not (math.isfinite(value.volatility) and 0 < value.volatility < LARGEST):
        raise BadCandle(
            f"{value.symbol} {value.date} from {value.source}: implied volatility {value.volatility!r} is no "
            f"per cent a year between 0 and {LARGEST:g}"
        )
    return value
