"""What a forecaster is: a name, a version, what it needs, and a function from the past to quantiles.

docs/forecasters.md shows a whole one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import LEVELS
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.series import CANDLES, SERIES
from btc_assets.vocabulary import HORIZONS, MODELS

Floats = NDArray[np.float64]

SHAPE = (HORIZONS, len(LEVELS))
"""Of a forecast: a row a day ahead, a column a level."""

FEWEST_DAYS = 500
"""Candles before an origin without which nobody is asked: the random walk that scores all needs them."""

MOST_DAYS = 36_500
"""A hundred years: who wants all candles there are asks for so many days."""

FEATURES = ENGINEERED_FEATURES.name
OFFERED = (*(series.name for series in SERIES if series is not CANDLES), FEATURES)
"""The series of the graph that a forecaster can ask for beside the daily candles."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
_VERSION = re.compile(r"[A-Za-z0-9.+_-]{1,24}")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a forecaster needs.

    Attributes:
        days: how many days up to and with the origin it is given.
        fewest: without how many candles up to the origin it is not asked; at least ``FEWEST_DAYS``.
        series: further series, of ``OFFERED``, over the same days.
        every: it is asked each so many days, for one that is slow; 1: daily.
    """

    days: int = 1000
    fewest: int = FEWEST_DAYS
    series: tuple[str, ...] = ()
    every: int = 1

    def is_due(self, origin: dt.date) -> bool:
        """Return whether it is asked from ``origin``."""
        return origin.toordinal() % self.every == 0


@dataclass(frozen=True)
class Observed:
    """What is known at the close of ``origin`` (24:00 UTC), and nothing that came later.

    Attributes:
        symbol: trading pair.
        origin: the last day whose candle is known.
        candles: daily candles by ``date``, the last is of ``origin``; columns of ``raw_klines`` without
            ``source`` and ``ingested_at``. A day that the exchange missed has no row.
        series: by name, the series that ``Needs.series`` asked for, up to and with ``origin``.
    """

    symbol: str
    origin: dt.date
    candles: pl.DataFrame
    series: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def closes(self) -> Floats:
        """Closing prices, oldest first, USDT."""
        return self.candles["close"].to_numpy()

    @cached_property
    def log_returns(self) -> Floats:
        """Log returns from close to close, oldest first; one fewer than ``closes``."""
        return np.asarray(np.diff(np.log(self.closes)))

    @property
    def last_close(self) -> float:
        """The close of ``origin``, USDT."""
        return float(self.closes[-1])

    @property
    def days_ahead(self) -> list[dt.date]:
        """The days that are forecast, in order."""
        return [self.origin + h * DAY for h in range(1, HORIZONS + 1)]


@runtime_checkable
class Forecaster(Protocol):
    """Whatever forecasts. Registered as an entry point of the group ``btc_assets.forecasters``.

    Attributes:
        name: the model's name in every table: a-z, 0-9 and _, at most 24; the entry point's name, too.
        version: changes whenever its forecasts would; at most 24 of A-Z a-z 0-9 . + _ -.
        needs: what it is given.
    """

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The version of its forecasts."""

    @property
    def needs(self) -> Needs:
        """What it is given."""

    def forecast(self, observed: Observed) -> Floats:
        """Return quantiles of the close [90, 21], USDT: rows 1 to 90 days ahead, columns ``LEVELS``."""


def problems(forecaster: object, name: str) -> list[str]:
    """List what keeps ``forecaster`` from being one that is registered as ``name``; empty: nothing."""
    if not isinstance(forecaster, Forecaster):
        return [f"{type(forecaster).__name__} has not all of name, version, needs and forecast"]
    found = []
    given: Any = forecaster
    said, version, needs = given.name, given.version, given.needs
    if said != name:
        found.append(f"its name is {said!r}, and it is registered as {name!r}")
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        found.append(f"the name {said!r} is not a-z, 0-9 and _ from a letter on, at most 24")
    if said in MODELS:
        found.append(f"the name {said!r} is that of a model of the project")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        found.append(f"the version {version!r} is not 1 to 24 of A-Z a-z 0-9 . + _ -")
    if not isinstance(needs, Needs):
        return [*found, f"needs is {type(needs).__name__}, not Needs"]
    return found + _needs_problems(needs)


def _needs_problems(needs: Needs) -> list[str]:
    series: object = needs.series
    if not isinstance(series, tuple | list):
        return [f"its series are {series!r:.60}, no tuple such as ({OFFERED[0]!r},)"]
    found = [f"there is no series {name!r}; there are {', '.join(OFFERED)}" for name in needs.series
             if name not in OFFERED]  # fmt: skip
    for name, least in (("days", 1), ("fewest", FEWEST_DAYS), ("every", 1)):
        value = getattr(needs, name)
        if type(value) is not int or not least <= value <= MOST_DAYS:
            found.append(f"its {name} is {value!r:.60}, no whole number from {least} to {MOST_DAYS:,}")
    return found
