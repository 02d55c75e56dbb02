"""The OpenAPI document, built from the contracts so that it cannot drift from them."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from btc_assets.contracts import BASELINES, HORIZONS, LEVELS, MODELS, QUANTILES
from btc_assets.market.calendar import FIRST_DAY
from btc_assets.scoring import drift
from btc_assets.statistics import comparison
from btc_dash.data.query import DEFAULT_DAYS, DEFAULT_MODEL, KINDS, STARTS, VINTAGE_NAME

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_DATE: Schema = {"type": "string", "format": "date"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_VINTAGE: Schema = {"type": "string", "pattern": f"^{VINTAGE_NAME}$"}
_HORIZON: Schema = {"type": "integer", "minimum": 1, "maximum": HORIZONS}


@cache
def document() -> Schema:
    """The whole document, OpenAPI 3.1."""
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
            "/api/v1/forecast": {"get": _forecast()},
            "/api/v1/scores": {"get": _scores()},
            "/api/v1/health": {"get": _health()},
        },
        "components": {"schemas": {"Problem": _problem()}},
    }


def _forecast() -> Schema:
    day: Schema = _object(
        {"horizon": _HORIZON, "target_date": _DATE, **dict.fromkeys(QUANTILES, _NUMBER),
         "close": {"type": ["number", "null"], "description": "what happened, once it has"}}
    )  # fmt: skip
    body = _object(
        {
            "symbol": {"type": "string"},
            "simulated": _FLAG,
            "model": {"enum": list(MODELS)},
            "origin_date": _DATE,
            "last_close": _NUMBER,
            "vintage": _DATE,
            "issued_at": _TIME,
            "computed": _FLAG,
            "provisional": _FLAG,
            "backfilled": _FLAG,
            "levels": {"type": "array", "items": _SHARE, "minItems": len(LEVELS), "maxItems": len(LEVELS)},
            "forecast": {"type": "array", "items": day, "minItems": 1, "maxItems": HORIZONS},
        }
    )
    return {
        "operationId": "forecast",
        "summary": "Quantiles of the closing price for each of the next days",
        "parameters": [
            _days(),
            _model(),
            _parameter("as_of", _DATE, f"the day to forecast from, {FIRST_DAY} or later; else the newest"),
            _parameter(
                "start", {"enum": list(STARTS), "default": "close"}, "from the last close, or from now"
            ),
            _parameter(
                "vintage",
                _VINTAGE,
                "a vintage trained no later than the origin; else the one in force",
            ),
            _parameter("format", {"enum": ["json", "csv"], "default": "json"}, "json or csv"),
        ],
        "responses": {
            "200": _with_csv(_ok("The forecast", body)),
            **_failures(304, 400, 404, 429, 503),
        },
    }


def _scores() -> Schema:
    row = _object(
        {
            "model": {"enum": [*MODELS, *BASELINES]},
            "horizon": _HORIZON,
            "forecasts": _COUNT,
            "mean_absolute_percentage_error": _NUMBER,
            "naive_mean_absolute_percentage_error": _NUMBER,
            "crps_ratio": {
                **_NUMBER,
                "description": "CRPS over the random walk's; below 1 is better",
            },
            "inside_50": _SHARE,
            "inside_80": _SHARE,
            "inside_95": _SHARE,
        }
    )
    row["properties"] |= {
        "against_random_walk": {"enum": list(get_args(comparison.Verdict))},
        "p_value": {"type": ["number", "null"]},
        "independent_forecasts": _COUNT,
        "drift": {"enum": list(get_args(drift.Verdict))},
    }
    body = _object(
        {
            "symbol": {"type": "string"},
            "simulated": _FLAG,
            "kind": {"enum": list(KINDS)},
            "scores": {"type": "array", "items": row},
        }
    )
    kind = _parameter("kind", {"enum": list(KINDS), "default": "all"}, "live, back-filled or all forecasts")
    return {
        "operationId": "scores",
        "summary": "How past forecasts did, by model and days ahead",
        "parameters": [_days("only this many days ahead"), _model("only this model"), kind],
        "responses": {"200": _ok("The scores", body), **_failures(304, 400, 503)},
    }


def _health() -> Schema:
    maybe_date: Schema = {"type": ["string", "null"], "format": "date"}
    body = _object(
        {
            "status": {"enum": ["ok", "degraded", "unavailable"]},
            "data": {"enum": ["fresh", "stale", "very stale", "no data"]},
            "newest_close": maybe_date,
            "newest_origin": maybe_date,
            "seconds_since_close": {"type": ["integer", "null"]},
            "store_outage_since": {"type": ["string", "null"], "format": "date-time"},
            "simulated": _FLAG,
        }
    )
    return {
        "operationId": "health",
        "summary": "Whether there is a forecast to show and how old its data is",
        "responses": {"200": _ok("There is", body), "503": _ok("There is none", body)},
    }


def _days(text: str = "days ahead") -> Schema:
    return _parameter("days", {**_HORIZON, "default": DEFAULT_DAYS}, text)


def _model(text: str = "which model") -> Schema:
    return _parameter("model", {"enum": list(MODELS), "default": DEFAULT_MODEL}, text)


def _parameter(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ok(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _with_csv(answer: Schema) -> Schema:
    answer["content"]["text/csv"] = {"schema": {"type": "string"}}
    return answer | {"headers": _caching()}


def _caching() -> Schema:
    return {"ETag": {"schema": {"type": "string"}}, "Cache-Control": {"schema": {"type": "string"}}}


_FAILURES = {
    304: "You have it already",
    400: "A parameter is wrong",
    404: "There is no such forecast",
    429: "Too many forecasts computed for you",
    503: "The store does not answer",
}


def _failures(*codes: int) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(code): {"description": _FAILURES[code]} | ({} if code == 304 else {"content": content})
        for code in codes
    }


def _problem() -> Schema:
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
