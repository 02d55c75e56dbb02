"""``btc chance``: the chance of anything about the price, from an issued forecast."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Annotated

import typer

from btc_assets.cli.forecast import read_forecast
from btc_assets.cli.options import AsJson, AsOf, Model, one_of
from btc_assets.settings import load
from btc_assets.vocabulary import ENSEMBLE, HORIZONS, MODELS

CONTEXT = {"ignore_unknown_options": True}
"""So that ``-10%`` is a price and no option."""


def chance(
    event: Annotated[str, typer.Argument(help="above, below, between, touch, stay, fall, range or worth.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(help="A price (100000, +10%), two for a band, a fall in per cent, an amount of BTC."),
    ] = None,
    days: Annotated[str, typer.Option("--days", help="How many days ahead, 1 to 90.")] = "",
    by: Annotated[str, typer.Option("--by", help="The day by which, YYYY-MM-DD, instead of --days.")] = "",
    since: Annotated[str, typer.Option("--since", help="Of a fall: here (the last close) or peak.")] = "",
    model: Model = ENSEMBLE,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Say how likely something is: chance above 100000 --by 2026-12-25, chance touch -10% --days 30."""
    from btc_assets.chances.answers import answer_question
    from btc_assets.chances.paths import forecast_paths
    from btc_assets.chances.questions import positional, question
    from btc_assets.chances.sentences import facts, sentence
    from btc_assets.contracts import QUANTILES, RAW_KLINES
    from btc_assets.factory import open_pair
    from btc_assets.market.calendar import DAY
    from btc_assets.market.pair import price_text, ticker

    event = event.strip().lower()
    parts = {"event": event, "days": days, "by": by, "since": since} | positional(event, values or [])
    settings = load()
    rows = read_forecast(settings, one_of(model, MODELS, "model"), HORIZONS, as_of)
    first = rows.row(0, named=True)
    origin: dt.date = first["origin_date"]
    klines = open_pair(settings).read(RAW_KLINES, end=origin + DAY).filter(symbol=settings.symbol)
    made = forecast_paths(klines, origin, rows.sort("horizon").select(QUANTILES).to_numpy())
    asked = question(parts, origin, made.start)
    found = answer_question(made, asked)
    if as_json:
        fixed = {
            name: str(first[name]) for name in ("symbol", "model", "origin_date", "vintage", "issued_at")
        }
        document = fixed | {"simulated": settings.simulated, "unit": "USDT", "event": event}
        document |= {"last_close": made.start} | facts(asked, found, origin, ticker(settings.symbol))
        typer.echo(json.dumps(document, indent=2, default=str))
        return
    label = "SIMULATED prices. " if settings.simulated else ""
    typer.echo(sentence(asked, found, origin, ticker(settings.symbol)))
    start = price_text(made.start, math.inf)
    typer.echo(
        f"{label}{first['symbol']} from the close of {origin} (UTC), {start} USDT; {model}. "
        "Statistical estimates from past prices, not financial advice."
    )
