"""Answer ``/api/v1/chance`` and ``/api/v1/paths``."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
from flask import Response

from btc_assets.chances.paths import Paths
from btc_assets.chances.questions import ImpossibleQuestion
from btc_assets.chances.sentences import facts
from btc_assets.contracts import HORIZONS
from btc_assets.errors import ModelError
from btc_assets.market.pair import ticker
from btc_dash.api.models import Chance, ChanceRecord
from btc_dash.api.openapi import PATH_TYPES
from btc_dash.api.replies import as_json, bad, cached, found_forecast, market_of, read_request
from btc_dash.data import chances, market
from btc_dash.data.context import Context
from btc_dash.data.forecasting import ForecastResult, forecast_for
from btc_dash.data.query import ChanceRequest, PathsRequest, Question
from btc_dash.server.middleware import client
from btc_dash.server.problems import problem


def chance_answer(context: Context) -> Response:
    """Answer a question about the price."""
    request = read_request(ChanceRequest, market.last_day(context.cache))
    f = _whole_forecast(context, request).forecast
    try:
        answered = chances.ask(context.cache, context.path_maker, f, request.parts(), client())
    except ImpossibleQuestion as refusal:
        return bad({refusal.field: str(refusal)})
    except ModelError as error:
        return problem(404, "No chances from that day", f"{error}.")
    record = answered.record
    body = Chance(
        **market_of(context),
        model=f.model,
        origin_date=f.origin,
        last_close=answered.start,
        issued_at=f.issued_at,
        computed=f.computed,
        event=request.event,
        record=None if record is None else ChanceRecord.model_validate(record, from_attributes=True),
        **facts(answered.question, answered.answer, f.origin, ticker(context.settings.symbol)),
    )
    return as_json(body, max_age=60)


def paths_answer(context: Context) -> Response:
    """Send paths as a file."""
    request = read_request(PathsRequest, market.last_day(context.cache))
    found = _whole_forecast(context, request)
    try:
        made = context.path_maker.paths(found.forecast, client(), request.n)
    except ModelError as error:
        return problem(404, "No paths from that day", f"{error}.")
    name = f"btc-paths-{request.model}-{found.forecast.origin}-{request.days}d.{request.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return cached(_file(made, found, request), PATH_TYPES[request.format], 60, headers)


def _whole_forecast(context: Context, request: ChanceRequest | PathsRequest) -> ForecastResult:
    question = Question.model_construct(days=HORIZONS, model=request.model, as_of=request.as_of)
    return found_forecast(forecast_for(context, question, client()))


def _file(made: Paths, found: ForecastResult, request: PathsRequest) -> bytes:
    """Write closes, highs and lows of the first days: arrays [days, paths], or a row a path and day."""
    days = request.days
    parts = {name: getattr(made, name)[:days] for name in ("close", "high", "low")}
    buffer = io.BytesIO()
    if request.format == "npz":
        dates = np.array(found.forecast.targets[:days], dtype="datetime64[D]")
        np.savez_compressed(buffer, date=dates, start=np.array(made.start), **parts)
        return buffer.getvalue()
    count = made.close.shape[1]
    columns = {name: values.T.ravel() for name, values in parts.items()}
    frame = pl.DataFrame(
        {
            "path": np.repeat(np.arange(1, count + 1, dtype=np.int32), days),
            "date": found.forecast.targets[:days] * count,
            **columns,
        }
    )
    if request.format == "csv":
        frame.write_csv(buffer, float_precision=2)
    else:
        frame.write_parquet(buffer)
    return buffer.getvalue()
