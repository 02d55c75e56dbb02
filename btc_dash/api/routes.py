"""The addresses of the API: forecast, scores, health, and the document that describes them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from flask import Flask, Response

from btc_assets.contracts import LEVELS, QUANTILES
from btc_assets.errors import StorageError
from btc_assets.health.missing_days import Age
from btc_dash.api.chances import chance_answer, paths_answer
from btc_dash.api.leaderboard import leaderboard_answer
from btc_dash.api.models import Forecast, ForecastDay, Health, Score, Scores
from btc_dash.api.openapi import openapi_document
from btc_dash.api.replies import as_json, cached, found_forecast, given, market_of, read_request, replying
from btc_dash.data import market, track_record
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, forecast_for
from btc_dash.data.query import ForecastRequest, Question, RecordQuestion
from btc_dash.server.middleware import client
from btc_dash.server.problems import problem

ADDRESSES = (
    "/api/v1/forecast",
    "/api/v1/chance",
    "/api/v1/paths",
    "/api/v1/scores",
    "/api/v1/leaderboard",
    "/api/v1/health",
    "/api/v1/openapi.json",
)


def register(server: Flask, context: Context) -> None:
    """Attach the API to ``server``; whatever else lies under ``/api`` is a problem, not a page."""
    views = (
        lambda: _forecast(context),
        lambda: chance_answer(context),
        lambda: paths_answer(context),
        lambda: _scores(context),
        lambda: leaderboard_answer(context),
        lambda: _health(context),
        lambda: cached(json.dumps(openapi_document(), separators=(",", ":")), "application/json", 3600, {}),
    )
    for address, view in zip(ADDRESSES, views, strict=True):
        server.add_url_rule(
            address, address, replying(view), methods=["GET"], provide_automatic_options=False
        )
    server.add_url_rule("/health", "/health", lambda: Response("OK", mimetype="text/plain"))
    for rule in ("/api", "/api/", "/api/<path:rest>"):
        server.add_url_rule(rule, "api_unknown", _unknown_address, methods=_METHODS)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")


def _unknown_address(rest: str = "") -> Response:
    """Say which method an address takes, or which address is the nearest to one that does not exist."""
    asked = f"/api/{rest}"
    if asked in ADDRESSES:
        answer = problem(405, "Method Not Allowed", "This address answers GET and HEAD only.")
        answer.headers["Allow"] = "GET, HEAD"
        return answer
    near = difflib.get_close_matches(asked[:100], ADDRESSES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ADDRESSES)}."
    return problem(404, "No such address", f"The API has no such address; {hint}")


def register_pictures(server: Flask, context: Context) -> None:
    """Attach the pictures of model cards; only known vintages and files have an address."""

    def picture(model: str, vintage: str, name: str) -> Response:
        period = context.cards.find(model, vintage)
        card = context.cards.read(period) if period else None
        if card is None or name not in card.pictures:
            return problem(404, "Not found", "There is no such picture.")
        response = Response(card.pictures[name], mimetype="image/png")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    server.add_url_rule("/models/<model>/<vintage>/<name>", "picture", picture, methods=["GET"])


def _forecast(context: Context) -> Response:
    question = read_request(ForecastRequest, market.last_day(context.cache))
    found = found_forecast(forecast_for(context, question.as_kind(Question), client()))
    body = _forecast_body(context, found)
    if question.format == "csv":
        name = f"btc-forecast-{question.model}-{body.origin_date}-{question.days}d.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return cached(_csv(body), "text/csv", 60, headers)
    return as_json(body, max_age=60)


def _forecast_body(context: Context, a: ForecastResult) -> Forecast:
    f = a.forecast
    rows = zip(f.targets, f.quantiles.tolist(), strict=True)
    return Forecast(
        **market_of(context),
        model=f.model,
        origin_date=f.origin,
        last_close=a.last_close,
        vintage=f.vintage,
        issued_at=f.issued_at,
        computed=f.computed,
        provisional=a.quoted_at is not None,
        backfilled=f.backfilled,
        levels=list(LEVELS),
        forecast=[
            ForecastDay.model_validate(
                {"horizon": at, "target_date": target, "close": a.after.close_on(target)}
                | dict(zip(QUANTILES, row, strict=True))
            )
            for at, (target, row) in enumerate(rows, start=1)
        ],
    )


def _csv(body: Forecast) -> str:
    """Write the rows of ``body``: prices to the cent, ``close`` empty until it has come."""
    of_all = pl.lit(body.model).alias("model"), pl.lit(body.origin_date).alias("origin_date")
    rows = pl.DataFrame([day.model_dump() for day in body.forecast], schema_overrides={"close": pl.Float64})
    columns = ("horizon", "target_date", *QUANTILES, "close")
    return rows.select(*of_all, *columns).write_csv(float_precision=2)


def _scores(context: Context) -> Response:
    asked, question = given(), read_request(RecordQuestion)
    table = track_record.totals(context.cache, question.kind)
    for name, column in (("model", "model"), ("days", "horizon")):
        if name in asked:
            table = table.filter(**{column: getattr(question, name)})
    scores = [_score(context, row, question, "days" in asked) for row in table.iter_rows(named=True)]
    return as_json(Scores(**market_of(context), kind=question.kind, scores=scores), max_age=300)


def _score(context: Context, row: Mapping[str, Any], question: RecordQuestion, judge: bool) -> Score:
    return Score(
        model=row["model"],
        horizon=row["horizon"],
        forecasts=row["n"],
        mean_absolute_percentage_error=row["ape"],
        naive_mean_absolute_percentage_error=row["naive_ape"],
        crps_ratio=row["crps_ratio"],
        inside_50=row["in50"],
        inside_80=row["in80"],
        inside_95=row["in95"],
        **(_judged(context, row["model"], question) if judge else {}),
    )


def _judged(context: Context, model: str, question: RecordQuestion) -> dict[str, Any]:
    """Return what the page says of the same forecasts: against the random walk, and of drift."""
    found = track_record.compare_with_rivals(context.cache, model, question.days, question.kind).get(
        "random_walk"
    )
    drift = track_record.drift(context.cache, model, question.days).verdict
    if found is None:
        return {"drift": drift}
    return {
        "against_random_walk": found.verdict,
        "p_value": found.p,
        "independent_forecasts": found.independent,
        "drift": drift,
    }


def _health(context: Context) -> Response:
    """Answer whether there is something to show, and how old it is: 503 where there is nothing."""
    fresh = context.freshness()
    try:
        origin = market.newest_origin(context.cache)
    except (StorageError, OSError):
        origin = None
    good = fresh.age in (Age.FRESH, Age.LATE) and origin is not None and context.cache.outage is None
    body = Health(
        status="ok" if good else "unavailable" if origin is None else "degraded",
        data=fresh.age,
        newest_close=fresh.newest,
        newest_origin=origin,
        seconds_since_close=round(fresh.since.total_seconds()) if fresh.newest else None,
        store_outage_since=context.cache.outage.since if context.cache.outage else None,
        simulated=context.settings.simulated,
    )
    response = as_json(body, max_age=0)
    response.status_code = 503 if origin is None else 200
    return response
