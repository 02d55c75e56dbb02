"""Read what was asked and write replies: JSON and files that a client can keep, problems."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flask import Response, request
from pydantic import BaseModel

from btc_dash.data.query import arguments
from btc_dash.server.problems import problem


def given() -> Mapping[str, object]:
    """Return the parameters of this request."""
    return arguments(request.query_string.decode("utf-8", "replace"))


def bad(errors: Mapping[str, str]) -> Response:
    """Refuse a request whose parameters are wrong, each named."""
    return problem(400, "Bad parameters", "; ".join(errors.values()), errors)


def unavailable(what: str) -> Response:
    """Say that the store does not answer."""
    return problem(503, "Store unavailable", f"{what} cannot be read at the moment.")


def as_json(body: BaseModel, max_age: int) -> Response:
    """Reply with a checked body."""
    return cached(body.model_dump_json(), "application/json", max_age, {})


def cached(content: str | bytes, kind: str, max_age: int, headers: Mapping[str, str]) -> Response:
    """Reply with an ETag of the bytes; 304 where the client has them already."""
    response = Response(content, mimetype=kind, headers=dict(headers))
    response.headers["Cache-Control"] = f"public, max-age={max_age}" if max_age else "no-store"
    data = content.encode() if isinstance(content, str) else content
    response.set_etag(hashlib.sha256(data).hexdigest()[:32])
    response.make_conditional(request)
    return response
