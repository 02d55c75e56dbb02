"""Notify of each problem once: a message when it appears, one when it is over, none in between.

Who was notified is kept in a ``Memory`` that the caller stores away as text, so that it outlives processes.
A message that a channel did not take is tried again with the next call, for that channel alone. A process
that dies between sending and storing sends once more: a message too many rather than one too few.
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
    after: dt.timedelta = dt.timedelta(0)
    """How long it must last before it is told."""


@dataclass
class Notification:
    """Who was notified of a problem that is not over for everybody."""

    title: str
    since: str
    """When it was first seen, ISO 8601, UTC."""
    channels: list[str] = field(default_factory=list)
    """Names of the channels that took the message."""


@dataclass
class Memory:
    """The open problems by cause, and who was notified of each."""

    open: dict[str, Notification] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {cause: asdict(sent) for cause, sent in self.open.items()}

    @classmethod
    def from_json(cls, kept: object) -> Memory:
        """Return the inverse of ``as_json``; what is no memory is an empty one."""
        found = {}
        for cause, sent in kept.items() if isinstance(kept, dict) else ():
            try:
                title, since, channels = sent["title"], sent["since"], sent["channels"]
                at = dt.datetime.fromisoformat(since)
                if at.tzinfo and all(isinstance(name, str) for name in (title, *channels)):
                    found[cause] = Notification(title, since, list(channels))
            except (TypeError, KeyError, ValueError):
                log.warning("forgot whether somebody was notified of %.80r", cause)
        return cls(found)


@dataclass(frozen=True)
class Notifier:
    """Sends messages about one market over all channels."""

    channels: Sequence[Channel]
    symbol: str
    simulated: bool

    @classmethod
    def of(cls, settings: Settings) -> Notifier:
        """Return the notifier that the settings describe."""
        from btc_assets.notifications.channels import open_channels

        return cls(open_channels(settings), settings.symbol, settings.simulated)

    def notify(self, problems: Iterable[Problem], memory: Memory, now: dt.datetime) -> list[str]:
        """Send what is new or over and update ``memory``; return what was sent or failed, in words."""
        done: list[str] = []
        current = {problem.cause: problem for problem in list(problems)[:MOST]}
        for cause, problem in current.items():
            sent = memory.open.setdefault(
                cause, Notification(problem.title, now.isoformat(timespec="seconds"))
            )
            if now - dt.datetime.fromisoformat(sent.since) < problem.after:
                continue
            message = self._message(cause, problem.title, problem.text, now, over=False)
            for channel in self.channels:
                if channel.name not in sent.channels and self._send(channel, message, done):
                    sent.channels.append(channel.name)
        for cause in [cause for cause in memory.open if cause not in current]:
            sent = memory.open[cause]
            text = f"{sent.title}: this is over.\nIt was seen first at {sent.since}."
            message = self._message(cause, sent.title, text, now, over=True)
            knowing = [channel for channel in self.channels if channel.name in sent.channels]
            sent.channels = [c.name for c in knowing if not self._send(c, message, done)]
            if not sent.channels:
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
            log.warning("%s was not notified (%s); it is tried again", channel.name, error)
            done.append(f"NOT delivered: {error}")
            return False
        done.append(f"notified {channel.name}: {message.subject}")
        return True
