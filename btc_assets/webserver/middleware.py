"""Refuse what another web page makes a browser ask of Dagster's UI, which has no login of its own.

A page of any origin can make a browser send requests to this machine. It cannot choose the headers ``Host``,
``Origin`` and ``Sec-Fetch-*``, by which its requests are told from those of the UI.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RESERVED = (".localhost", ".internal", ".local", ".home.arpa")
"""Endings of names that nobody can register, so that no stranger's name leads here."""

SAFE = ("GET", "HEAD", "OPTIONS")


class CrossSiteFilter:
    """ASGI middleware that lets through what the UI itself, or a program that is no browser, asks for."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        """Wrap ``app``, which is also reached under the names ``hosts``, as through a reverse proxy."""
        self.app, self.hosts = app, {host.lower().rstrip(".") for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request in one sentence, or pass it on and forbid that its answer is framed."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        reason = self.refusal(scope)
        if reason is None:
            await self.app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        else:
            await PlainTextResponse(f"{reason}\n", 403)(scope, receive, send)

    def refusal(self, scope: Scope) -> str | None:
        """Return why the request is refused; None if it is not."""
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if not self._is_ours(host):
            return (
                f"Dagster's UI is not known as {host[:100]!r}; if it is reached under that name, list it in "
                "BTC_DAGSTER_HOSTS."
            )
        if self._is_foreign(scope, headers):
            return "This request was made by another web page, which may not drive Dagster."
        if scope.get("method") in SAFE and _changes_something(scope):
            return "A GraphQL mutation is sent with POST."
        return None

    def _is_ours(self, host: str) -> bool:
        """Tell whether no stranger can have a name such as ``host`` lead to this machine."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return bool(host) and (
                "." not in host or host.endswith(RESERVED) or host.rstrip(".") in self.hosts
            )
        return True

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether the page of another origin made the browser ask."""
        origin = headers.get("origin")
        if origin is not None:
            asking = origin.partition("://")[2].lower()
            if asking != headers.get("host", "").lower() and _name(asking).rstrip(".") not in self.hosts:
                return True
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return False
        followed = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        return not (followed and scope.get("method") in SAFE)  # following a link to the UI is no harm


def _name(netloc: str) -> str:
    """Return the host of ``host:port`` in lower case, an IPv6 address without brackets; "" if it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _changes_something(scope: Scope) -> bool:
    """Tell whether the address of the request asks for a GraphQL mutation."""
    for query in parse_qs(scope["query_string"].decode("latin-1")).get("query", []):
        try:
            parts = parse(query).definitions
        except (GraphQLError, RecursionError):
            continue  # Dagster refuses what it cannot parse
        operations = [part.operation for part in parts if isinstance(part, OperationDefinitionNode)]
        if any(operation != OperationType.QUERY for operation in operations):
            return True
    return False


def _unframed(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return wrapped
