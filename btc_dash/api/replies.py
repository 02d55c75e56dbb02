"""Read what was asked and write replies: JSON and files that a client can keep, problems."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel

from btc_assets.errors import StorageError
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, NoForecast
from btc_dash.data.query import arguments, parse_strictly
from btc_dash.data.values import as_day
from btc_dash.server.problems import problem

Q = TypeVar("Q", bound=BaseModel)


class Refused(Exception):
    """What was asked cannot be answered; ``reply`` says why."""

    def __init__(self, reply: Response) -> None:
        super().__init__(reply.status)
        self.reply = reply


def replying(view: Callable[[], Response]) -> Callable[[], Response]:
    """Return ``view`` with the replies to what it refuses, and to a store that does not answer."""

    def reply() -> Response:
        try:
            return view()
        except Refused as refused:
            return refused.reply
        except (StorageError, OSError):
            return problem(503, "Store unavailable", "The tables cannot be read at the moment.")

    return reply


def given() -> Mapping[str, object]:
    """Return the parameters of this request.

    Raises:
        Refused: they are too many.
    """
    query = request.query_string.decode("utf-8", "replace")
    found = arguments(query)
    if query.strip("&") and not found:
        raise Refused(problem(400, "Bad parameters", "The address has more parameters than anyone means."))
    return found


def bad(errors: Mapping[str, str]) -> Response:
    """Refuse a request whose parameters are wrong, each named."""
    return problem(400, "Bad parameters", "; ".join(errors.values()), errors)


def read_request(kind: type[Q], last: dt.date | None = None) -> Q:
    """Read the parameters of this request; ``last`` is the last day that a forecast can start from.

    Raises:
        Refused: a parameter is wrong, or there is no forecast from the day.
    """
    asked = given()
    question, errors = parse_strictly(kind, asked, last)
    for name in ("as_of", "since"):
        if list(errors) == [name] and as_day(asked[name]):
            raise Refused(problem(404, "No forecast from that day", errors[name]))
    if errors:
        raise Refused(bad(errors))
    return question


def market_of(context: Context) -> dict[str, Any]:
    """Return the fields that say of which market a body is."""
    return {"symbol": context.settings.symbol, "simulated": context.settings.simulated}


def found_forecast(found: ForecastResult | NoForecast) -> ForecastResult:
    """Return the forecast that was found; Refused: there is none, and the reply says why."""
    if isinstance(found, NoForecast):
        raise Refused(problem(404, found.title, found.text))
    return found


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
