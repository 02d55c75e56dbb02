"""Notifications as mail, over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import urlsplit

from btc_assets.errors import NotDelivered
from btc_assets.notifications.message import TIMEOUT, Message
from btc_assets.settings import Settings, split


class Mail:
    """A mail for each message, to everybody in ``BTC_NOTIFY_TO``.

    ``smtps://`` is TLS from the first byte; with ``smtp://`` TLS is begun where the server offers it, and a
    password is never sent without. Certificates are verified.
    """

    name = "mail"

    def __init__(self, settings: Settings) -> None:
        self._address = settings.notify_smtp
        self._user = settings.notify_smtp_user
        self._password = settings.notify_smtp_password
        self._sender = settings.notify_from
        self._to = split(settings.notify_to)

    def send(self, message: Message) -> None:
        """Send it; of several recipients all must be accepted."""
        try:
            mail = self._mail(message)
            with self._connect() as server:
                refused = server.send_message(mail)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotDelivered(f"mail over {self._address}: {_why(error)}") from error
        if refused:
            raise NotDelivered(f"mail over {self._address}: {', '.join(sorted(refused))} refused")

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = message.subject, self._sender, ", ".join(self._to)
        mail["Date"], mail["Message-ID"] = format_datetime(message.at), make_msgid(domain="btc-assets")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail

    def _connect(self) -> smtplib.SMTP:
        parts, trust = urlsplit(self._address), ssl.create_default_context()
        host = parts.hostname or ""
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT, context=trust)
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT)
        try:
            server.ehlo()
            safe = parts.scheme == "smtps" or server.has_extn("starttls")
            if parts.scheme == "smtp" and safe:
                server.starttls(context=trust)
            if self._user:
                self._log_in(server, safe=safe)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP, *, safe: bool) -> None:
        if not safe:
            raise smtplib.SMTPException("the server offers no TLS, and a password is not sent without")
        server.login(self._user, self._password.get_secret_value())


def _why(error: Exception) -> str:
    """Return the server's own words where there are any."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else ""
        return f"{type(error).__name__} {error.smtp_code} {said}"[:200]
    return f"{type(error).__name__}: {error}"[:200]
