"""Two servers on loopback that notifications can be sent to: one takes mail, one takes posts of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from loopback import Handler, free_port, serving


@dataclass
class Mailbox:
    """What arrived, and how the server behaves."""

    address: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 OK"
    """Said after each mail; 4xx and 5xx refuse it."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("2"):
            content = envelope.original_content or b""
            mail = BytesParser(policy=default).parsebytes(content)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.answer


@contextmanager
def mailbox(**more: Any) -> Iterator[Mailbox]:
    """An SMTP server on a free port; ``more`` goes to it (``tls_context``, ``authenticator``)."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port(), **more)
    server.start()
    box.address = f"smtp://127.0.0.1:{server.port}"
    try:
        yield box
    finally:
        server.stop()


def takes_password(user: str, password: str) -> dict[str, Any]:
    """Arguments of ``mailbox`` for a server that wants this user and, wrongly, asks for no TLS."""

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return {"authenticator": check, "auth_required": True, "auth_require_tls": False}


@dataclass
class Hook:
    """What was posted, and how the server answers."""

    address: str = ""
    posts: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    location: str = ""


@contextmanager
def hook() -> Iterator[Hook]:
    """An HTTP server on a free port."""
    found = Hook()

    class Connection(Handler):
        def do_POST(self) -> None:
            body = self.body()
            if found.status < 300:
                found.posts.append(json.loads(body))
            self.reply(found.status, headers={"Location": found.location} if found.location else None)

    with serving(Connection) as url:
        found.address = f"{url}/hook/canary-token"
        yield found
