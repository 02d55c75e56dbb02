"""Who is told: the log, a mailbox, a web address, as ``BTC_NOTIFY`` lists them."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Protocol

from btc_assets.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds a channel may take; it must not hold up the sensor that tells."""


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


class Log:
    """The log of the process that tells; for Dagster's daemon that is its standard error."""

    name = "log"

    def send(self, message: Message) -> None:
        """Write an error, or a warning where it is over."""
        level = logging.WARNING if message.over else logging.ERROR
        log.log(level, "ALARM %s | %s", message.subject, " ".join(message.text.split()))


def open_channels(settings: Settings) -> list[Channel]:
    """The channels that the settings list; nothing is connected to before it is used."""
    channels: list[Channel] = []
    for name in Settings.split(settings.notify):
        if name == "mail":
            from btc_assets.alarms.mail import Mail

            channels.append(Mail(settings))
        elif name == "webhook":
            from btc_assets.alarms.webhook import Webhook

            channels.append(Webhook(settings.notify_webhook.get_secret_value()))
        else:
            channels.append(Log())
    return channels
