"""Errors as problem+json (RFC 9457), the same shape everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response


def problem(status: int, title: str, detail: str, errors: Mapping[str, str] | None = None) -> Response:
    """Return an error answer; ``errors`` says by parameter what is wrong with it."""
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = dict(errors)
    answer = Response(json.dumps(body), status, mimetype="application/problem+json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
