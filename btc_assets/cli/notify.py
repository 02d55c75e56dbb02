"""``btc notify``: send a test notification over every channel."""

from __future__ import annotations

import datetime as dt

import typer

from btc_assets.errors import ConfigurationError, NotDelivered
from btc_assets.settings import load


def notify() -> None:
    """Send a test notification over every channel of BTC_NOTIFY; exit code 1 if one did not take it."""
    import logging
    import sys

    from btc_assets.notifications.channels import open_channels
    from btc_assets.notifications.message import Message

    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    settings = load()
    channels = open_channels(settings)
    if not channels:
        raise ConfigurationError("BTC_NOTIFY is empty: nobody is notified; list log, mail or webhook")
    message = Message(
        "trial",
        "test notification",
        "Nothing is wrong. Somebody ran `btc notify` to see whether this arrives.",
        False,
        settings.symbol,
        settings.simulated,
        dt.datetime.now(dt.UTC),
    )
    failed = False
    for channel in channels:
        try:
            channel.send(message)
        except NotDelivered as error:
            failed = True
            typer.echo(f"{channel.name}: NOT delivered: {error}")
        else:
            typer.echo(f"{channel.name}: taken")
    raise typer.Exit(int(failed))
