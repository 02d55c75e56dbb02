"""Tell each problem once: a message when it appears, one when it is over, none in between.

What was told is kept in a ``Memory`` that whoever calls stores away as text, so that it outlives processes.
A message that a channel did not take is tried again with the next call, for that channel alone. A process
that dies between sending and storing tells once more: an alarm too many rather than one too few.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from btc_assets.errors import NotDelivered
from btc_assets.notifications.message import Channel, Message
from btc_assets.settings import Settings

log = logging.getLogger(__name__)

MOST = 50
"""Problems that are remembered at once; beyond that something is wrong that one message tells better."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a person should know. ``cause`` is the same as long as it is the same problem."""

    cause: str
    title: str
    text: str


@dataclass
class Told:
    """One problem that is not over for everybody."""

    title: str
    since: str
    """When it was first seen, ISO 8601, UTC."""
    channels: list[str] = field(default_factory=list)
    """Who knows of it."""


@dataclass
class Memory:
    """Which problems are open and who was told."""

    open: dict[str, Told] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {cause: asdict(told) for cause, told in self.open.items()}

    @classmethod
    def from_json(cls, kept: object) -> Memory:
        """The inverse of ``as_json``; what is no memory is an empty one."""
        found = {}
        for cause, told in kept.items() if isinstance(kept, dict) else ():
            try:
                title, since, channels = told["title"], told["since"], told["channels"]
                if all(isinstance(name, str) for name in (title, since, *channels)):
                    found[cause] = Told(title, since, list(channels))
            except (TypeError, KeyError):
                log.warning("forgot whether %.80r was told", cause)
        return cls(found)


@dataclass(frozen=True)
class Teller:
    """Who is told, and about which market."""

    channels: Sequence[Channel]
    symbol: str
    simulated: bool

    @classmethod
    def of(cls, settings: Settings) -> Teller:
        """The teller that the settings describe."""
        from btc_assets.notifications.channels import open_channels

        return cls(open_channels(settings), settings.symbol, settings.simulated)

    def tell(self, problems: Iterable[Problem], memory: Memory, now: dt.datetime) -> list[str]:
        """Bring everybody up to date, and ``memory`` with them; returns what was said or failed, in words."""
        done: list[str] = []
        current = {problem.cause: problem for problem in list(problems)[:MOST]}
        for cause, problem in current.items():
            told = memory.open.setdefault(cause, Told(problem.title, now.isoformat(timespec="seconds")))
            message = self._message(cause, problem.title, problem.text, now, over=False)
            for channel in self.channels:
                if channel.name not in told.channels and self._send(channel, message, done):
                    told.channels.append(channel.name)
        for cause in [cause for cause in memory.open if cause not in current]:
            told = memory.open[cause]
            text = f"{told.title}: this is over.\nIt was seen first at {told.since}."
            message = self._message(cause, told.title, text, now, over=True)
            knowing = [channel for channel in self.channels if channel.name in told.channels]
            told.channels = [c.name for c in knowing if not self._send(c, message, done)]
            if not told.channels:
                del memory.open[cause]
        return done

    def _message(self, cause: str, title: str, text: str, now: dt.datetime, *, over: bool) -> Message:
        if self.simulated:
            text += "\nThis is the SIMULATED market; its prices are made up."
        return Message(cause, title, text, over, self.symbol, self.simulated, now)

    def _send(self, channel: Channel, message: Message, done: list[str]) -> bool:
        try:
            channel.send(message)
        except NotDelivered as error:
            log.warning("%s was not told (%s); it is tried again", channel.name, error)
            done.append(f"NOT delivered: {error}")
            return False
        done.append(f"told {channel.name}: {message.subject}")
        return True
