"""The message to a person, and the protocol of a channel that delivers it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

TIMEOUT = 10.0
"""Seconds a channel may take; it must not hold up the sensor that notifies."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a person."""

    cause: str
    """What it is about; the same as long as the problem is."""
    title: str
    text: str
    """What is wrong, since when, what to do."""
    over: bool
    """The problem is gone."""
    symbol: str
    simulated: bool
    at: dt.datetime

    @property
    def subject(self) -> str:
        """One line, which says first if the market is made up."""
        label = "SIMULATED market, " if self.simulated else ""
        state = "over: " if self.over else ""
        return " ".join(f"[{label}{self.symbol}] {state}{self.title}".split())[:200]


class Channel(Protocol):
    """One way to reach somebody."""

    name: str

    def send(self, message: Message) -> None:
        """Hand ``message`` over.

        Raises:
            NotDelivered: nobody took it; says why, without any secret.
        """
