"""The channels of notifications that ``BTC_NOTIFY`` lists: the log, a mailbox, a web address."""

from __future__ import annotations

import logging

from btc_assets.notifications.message import Channel, Message
from btc_assets.settings import Settings, split

log = logging.getLogger(__name__)


class Log:
    """The log of the process that notifies; for Dagster's daemon that is its standard error."""

    name = "log"

    def send(self, message: Message) -> None:
        """Write an error, or a warning where it is over."""
        level = logging.WARNING if message.over else logging.ERROR
        log.log(level, "ALARM %s | %s", message.subject, " ".join(message.text.split()))


def open_channels(settings: Settings) -> list[Channel]:
    """Return the channels that the settings list; nothing is connected to before it is used."""
    channels: list[Channel] = []
    for name in split(settings.notify):
        if name == "mail":
            from btc_assets.notifications.mail import Mail

            channels.append(Mail(settings))
        elif name == "webhook":
            from btc_assets.notifications.webhook import Webhook

            channels.append(Webhook(settings.notify_webhook.get_secret_value()))
        else:
            channels.append(Log())
    return channels
