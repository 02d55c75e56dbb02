"""Write the OpenAPI document from the models that validate questions and answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from btc_dash.api.models import Chance, Forecast, Health, Leaderboard, Problem, Scores
from btc_dash.data.query import (
    ChanceRequest,
    ForecastRequest,
    LeaderboardRequest,
    PathsRequest,
    RecordQuestion,
)

Schema = dict[str, Any]

PATH_TYPES = {"csv": "text/csv", "npz": "application/x-npz", "parquet": "application/vnd.apache.parquet"}
"""Media types of the paths, by format."""

_REF = "#/components/schemas/{model}"
_FAILURES = {
    400: "A parameter is wrong",
    404: "There is no such forecast",
    429: "Too much computed for you",
    503: "The store does not answer",
}


@cache
def openapi_document() -> Schema:
    """Return the whole document, OpenAPI 3.1."""
    bodies: list[type[BaseModel]] = [Forecast, Chance, Scores, Leaderboard, Health, Problem]
    _, schemas = models_json_schema([(body, "serialization") for body in bodies], ref_template=_REF)
    forecast = {"200": _body_response(Forecast, csv=True), **_failures(400, 404, 429, 503)}
    chance = {"200": _body_response(Chance), **_failures(400, 404, 429, 503)}
    paths = {"200": _file_response(), **_failures(400, 404, 429, 503)}
    scores = {"200": _body_response(Scores), **_failures(400, 503)}
    board = {"200": _body_response(Leaderboard, csv=True), **_failures(400, 404, 429, 503)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BTC Forecast",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Daily Bitcoin price forecasts as quantiles, and how they did. Days are UTC, "
            "prices USDT. Statistical estimates from past prices, not financial advice.",
        },
        "paths": {
            "/api/v1/forecast": _get("forecast", Forecast, _parameters(ForecastRequest), forecast),
            "/api/v1/chance": _get("chance", Chance, _parameters(ChanceRequest), chance),
            "/api/v1/paths": _get("paths", PathsRequest, _parameters(PathsRequest), paths),
            "/api/v1/scores": _get("scores", Scores, _parameters(RecordQuestion), scores),
            "/api/v1/leaderboard": _get("leaderboard", Leaderboard, _parameters(LeaderboardRequest), board),
            "/api/v1/health": _get(
                "health", Health, [], {"200": _body_response(Health), "503": _body_response(Health)}
            ),
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _get(name: str, body: type[BaseModel], parameters: list[Schema], responses: Schema) -> Schema:
    unchanged = {"304": {"description": "You have it already"}} if parameters else {}
    return {
        "get": {
            "operationId": name,
            "summary": (body.__doc__ or "").rstrip("."),
            "parameters": parameters,
            "responses": responses | unchanged,
        }
    }


def _parameters(query: type[BaseModel]) -> list[Schema]:
    """Return the fields of a model as parameters of the query string."""
    properties = query.model_json_schema()["properties"]
    return [
        {"name": name, "in": "query", "required": False, "description": schema.pop("description", ""),
         "schema": {key: value for key, value in schema.items() if (key, value) != ("default", None)}}
        for name, schema in properties.items()
    ]  # fmt: skip


def _body_response(body: type[BaseModel], csv: bool = False) -> Schema:
    content = {"application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}}}
    text = {"text/csv": {"schema": {"type": "string"}}} if csv else {}
    return _response((body.__doc__ or "").rstrip("."), content | text)


def _file_response() -> Schema:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PATH_TYPES.values()}
    return _response("Paths of closes, highs and lows (USDT)", content)


def _response(description: str, content: Schema) -> Schema:
    headers = {name: {"schema": {"type": "string"}} for name in ("ETag", "Cache-Control")}
    return {"description": description, "content": content, "headers": headers}


def _failures(*codes: int) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
    return {str(code): {"description": _FAILURES[code], "content": content} for code in codes}
