"""Notifications as a POST of JSON to a web address: a chat's incoming hook, a pager, a script."""

from __future__ import annotations

from urllib.parse import urlsplit

from btc_assets.errors import NotDelivered
from btc_assets.notifications.message import TIMEOUT, Message


class Webhook:
    """Posts each message; any answer from 200 to 299 means that it was taken. No redirect is followed."""

    name = "webhook"

    def __init__(self, address: str) -> None:
        self._address = address
        self._host = urlsplit(address).hostname or "?"

    def send(self, message: Message) -> None:
        """Post it. The address may hold a token, so errors name only its host."""
        import requests

        body = {
            "text": f"{message.subject}\n{message.text}",
            "title": message.title,
            "cause": message.cause,
            "state": "over" if message.over else "problem",
            "symbol": message.symbol,
            "simulated": message.simulated,
            "at": message.at.isoformat(),
        }
        try:
            with requests.post(
                self._address, json=body, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as answer:
                status = answer.status_code
        except (requests.RequestException, ValueError) as error:
            # Its text and its cause hold the address.
            raise NotDelivered(f"webhook at {self._host}: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise NotDelivered(f"webhook at {self._host}: HTTP {status}")
