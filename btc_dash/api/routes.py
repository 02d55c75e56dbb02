"""The addresses of the API: forecast, scores, health, and the document that describes them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping

from flask import Flask, Response, request

from btc_assets.contracts import LEVELS, QUANTILES
from btc_assets.errors import StorageError
from btc_dash.api.openapi import document
from btc_dash.data import calibration, market, track_record
from btc_dash.data.context import Site
from btc_dash.data.forecasting import Answer, NoAnswer, answer
from btc_dash.data.freshness import Age
from btc_dash.data.query import RecordQuestion, arguments, as_day, parse, parse_record, unknown
from btc_dash.pages.frame import freshness
from btc_dash.server.middleware import client
from btc_dash.server.problems import problem

FORECAST_FIELDS = ("days", "model", "as_of", "start", "vintage", "format")
SCORE_FIELDS = ("days", "model", "kind")


def register(server: Flask, site: Site) -> None:
    """Attach the API to ``server``."""
    rules = {
        "/api/v1/forecast": lambda: _forecast(site),
        "/api/v1/scores": lambda: _scores(site),
        "/api/v1/health": lambda: _health(site),
        "/api/v1/openapi.json": lambda: _json(document(), max_age=3600),
        "/health": lambda: Response("OK", mimetype="text/plain"),
    }
    for rule, view in rules.items():
        server.add_url_rule(rule, rule, view, methods=["GET"])


def pictures(server: Flask, site: Site) -> None:
    """Attach the pictures of model cards; only known vintages and files have an address."""

    def picture(model: str, vintage: str, name: str) -> Response:
        reign = site.cards.find(model, vintage)
        card = site.cards.card(reign) if reign else None
        if card is None or name not in card.pictures:
            return problem(404, "Not found", "There is no such picture.")
        response = Response(card.pictures[name], mimetype="image/png")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    server.add_url_rule("/models/<model>/<vintage>/<name>", "picture", picture, methods=["GET"])


def _given(allowed: tuple[str, ...]) -> tuple[Mapping[str, object], dict[str, str]]:
    """The query string's parameters and, by name, those that do not exist."""
    given = arguments(request.query_string.decode("utf-8", "replace"))
    return given, unknown(given, allowed)


def _bad(errors: Mapping[str, str]) -> Response:
    return problem(400, "Bad parameters", "; ".join(errors.values()), errors)


def _forecast(site: Site) -> Response:
    given, errors = _given(FORECAST_FIELDS)
    try:
        question, wrong = parse(given, market.last_day(site.reader))
        form = given.get("format", "json")
        if form not in ("json", "csv"):
            wrong["format"] = "format is json or csv."
        errors |= wrong
        if list(errors) == ["as_of"] and as_day(given["as_of"]):
            return problem(404, "No forecast from that day", errors["as_of"])
        if errors:
            return _bad(errors)
        found = answer(site, question, client())
    except (StorageError, OSError):
        return problem(503, "Store unavailable", "Neither prices nor forecasts can be read at the moment.")
    if isinstance(found, NoAnswer):
        return problem(404, found.title, found.text)
    if form == "csv":
        name = f"btc-forecast-{question.model}-{found.forecast.origin}-{question.days}d.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return _cached(_csv(found), "text/csv", 60, headers)
    return _json(_forecast_body(site, found), max_age=60)


def _forecast_body(site: Site, a: Answer) -> dict[str, object]:
    f = a.forecast
    return {
        "symbol": site.settings.symbol,
        "simulated": site.settings.simulated,
        "model": f.model,
        "origin_date": f.origin.isoformat(),
        "last_close": a.last_close,
        "vintage": f.vintage.isoformat(),
        "issued_at": f.issued_at.isoformat(),
        "computed": f.computed,
        "provisional": a.seen_at is not None,
        "backfilled": f.backfilled,
        "levels": list(LEVELS),
        "forecast": [
            {"horizon": at + 1, "target_date": target.isoformat(), **dict(zip(QUANTILES, row, strict=True)),
             "close": a.after.close_on(target)}
            for at, (target, row) in enumerate(zip(f.targets, f.quantiles.tolist(), strict=True))
        ],
    }  # fmt: skip


def _csv(a: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "origin_date", "horizon", "target_date", *QUANTILES])
    for at, (target, row) in enumerate(zip(a.forecast.targets, a.forecast.quantiles.tolist(), strict=True)):
        writer.writerow(
            [a.forecast.model, a.forecast.origin, at + 1, target, *(f"{price:.2f}" for price in row)]
        )
    return text.getvalue()


def _scores(site: Site) -> Response:
    given, errors = _given(SCORE_FIELDS)
    question, wrong = parse_record(given)
    if errors | wrong:
        return _bad(errors | wrong)
    try:
        table = track_record.totals(site.reader, question.kind)
    except (StorageError, OSError):
        return problem(503, "Store unavailable", "The scores cannot be read at the moment.")
    for name, value in (("model", question.model), ("days", question.days)):
        if name in given:
            table = table.filter(**{"horizon" if name == "days" else name: value})
    fields = {
        "model": "model", "horizon": "horizon", "forecasts": "n", "mean_absolute_percentage_error": "ape",
        "naive_mean_absolute_percentage_error": "naive_ape", "crps_ratio": "crps_ratio",
        **{f"inside_{c}": f"in{c}" for c in track_record.COVERAGES},
    }  # fmt: skip
    rows = [
        {name: row[column] for name, column in fields.items()}
        | (_judged(site, row["model"], question) if "days" in given else {})
        for row in table.iter_rows(named=True)
    ]
    body = {"symbol": site.settings.symbol, "simulated": site.settings.simulated, "kind": question.kind}
    return _json(body | {"scores": rows}, max_age=300)


def _judged(site: Site, model: str, question: RecordQuestion) -> dict[str, object]:
    """What the page says of the same forecasts: against the random walk, and of drift."""
    found = track_record.compare(site.reader, model, question.days, question.kind)["random_walk"]
    drift = calibration.drift(site.reader, model, question.days)
    return {
        "against_random_walk": found.verdict,
        "p_value": found.p,
        "independent_forecasts": found.independent,
        "drift": drift.verdict,
    }


def _health(site: Site) -> Response:
    """Whether there is something to show, and how old it is: 503 where there is nothing."""
    fresh = freshness(site)
    try:
        origin = market.newest_origin(site.reader)
    except (StorageError, OSError):
        origin = None
    good = fresh.age in (Age.FRESH, Age.STALE) and origin is not None and site.reader.outage is None
    body = {
        "status": "ok" if good else "unavailable" if origin is None else "degraded",
        "data": fresh.age.value,
        "newest_close": fresh.newest.isoformat() if fresh.newest else None,
        "newest_origin": origin.isoformat() if origin else None,
        "seconds_since_close": round(fresh.since.total_seconds()) if fresh.newest else None,
        "store_outage_since": site.reader.outage.since.isoformat() if site.reader.outage else None,
        "simulated": site.settings.simulated,
    }
    response = _json(body, max_age=0)
    response.status_code = 503 if origin is None else 200
    return response


def _json(body: object, max_age: int) -> Response:
    return _cached(json.dumps(body, separators=(",", ":"), allow_nan=False), "application/json", max_age, {})


def _cached(text: str, kind: str, max_age: int, headers: Mapping[str, str]) -> Response:
    """An answer with an ETag of its bytes; 304 where the client has it already."""
    response = Response(text, mimetype=kind, headers=dict(headers))
    response.headers["Cache-Control"] = f"public, max-age={max_age}" if max_age else "no-store"
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    response.make_conditional(request)
    return response
