"""What every part of the emulator answers with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PROJECT_ID = 119
STORE_ID = 67
CREATED = "2026-01-01T00:00:00Z"


class Refused(Exception):
    """An error answer, shaped as the server shapes them."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errorCode": code, "errorMsg": message, "usrMsg": message}


@dataclass(frozen=True)
class Request:
    """One request: method, the path below the API's root, query and body."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    body: bytes
    content_type: str = ""
    depth: int = field(default=0)

    def below(self, count: int) -> Request:
        """The same request, as seen from ``count`` folders further down."""
        return Request(
            self.method, self.path[count:], self.query, self.body, self.content_type, self.depth + count
        )

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Unknown(Exception):
    """The emulator has no answer to this request."""
