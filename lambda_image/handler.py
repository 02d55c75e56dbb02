"""The entry point: event in, candle landed, day started in Dagster, one structured line out.

Delivered twice, it lands nothing twice and starts no second run. Whatever fails is raised, so that
Lambda's retries and the dead-letter queue do their work; what was landed by then stays landed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.binance import Binance
from btc_assets.market.sources.landing import LandingZone
from lambda_image.config import Config, config_from
from lambda_image.context import Context
from lambda_image.event import Order, order_of
from lambda_image.ingest import LandingReport, land_days
from lambda_image.launch import connect
from lambda_image.metrics import counting_failures, log_metrics
from lambda_image.pipes import is_from_pipes, report_to_pipes

_HOLD_FILE = Path("/tmp/binance-hold.json")  # noqa: S108 - the only folder a Lambda may write to
_KEPT_FOR_DAGSTER = 25.0
"""Seconds of the time left that the exchange may not use up."""


def handler(event: object, context: Context) -> dict[str, Any]:
    """Do what ``event`` orders; see `lambda_image.event.order_of` for the events that are known."""
    if is_from_pipes(event):
        return report_to_pipes(cast("dict[str, Any]", event), lambda rest: _handle(rest, context))
    return _handle(event, context)


def _handle(event: object, context: Context) -> dict[str, Any]:
    config = config_from(os.environ)
    order = order_of(event)
    with counting_failures(config.symbol, order):
        return _obey(config, order, lambda: context.get_remaining_time_in_millis() / 1000)


def _obey(config: Config, order: Order, seconds_left: Callable[[], float]) -> dict[str, Any]:
    """Land, launch, report."""
    landings = _land_candles(config, order, seconds_left)
    run = None
    if order.launch and config.dagster.url:
        run = connect(config.dagster).start({*landings.fresh, landings.day})
    figures = {
        "DayLanded": 1,
        "CandlesLanded": len(landings.fresh),
        "CandlesRestated": len(landings.restated),
        "DaysWithoutBars": len(landings.without_bars),
        "RunsLaunched": int(run is not None),
    }
    log_metrics(config.symbol, f"{order.day} landed", figures)
    return {
        "day": order.day.isoformat(),
        "landed": [day.isoformat() for day in landings.fresh],
        "restated": [day.isoformat() for day in landings.restated],
        "unchanged": landings.unchanged,
        "without_bars": [day.isoformat() for day in landings.without_bars],
        "run": run,
    }


def _land_candles(config: Config, order: Order, seconds_left: Callable[[], float]) -> LandingReport:
    questions = 2  # days, and 4-hour candles
    retry = RetryPolicy(deadline=max(seconds_left() - _KEPT_FOR_DAGSTER, 5.0) / questions)
    source = Binance(config.binance_url, retry=retry, hold_file=_HOLD_FILE)
    zone = _zone(config.landing, config.symbol, config.s3_endpoint)
    return land_days(source, zone, config.symbol, order.day, seconds_left, last_call=order.last_call)


@cache
def _zone(location: str, symbol: str, endpoint: str) -> LandingZone:
    """Return the landing zone, whose connection a warm environment keeps."""
    return LandingZone(location, symbol, s3_endpoint=endpoint)


def _get_ready() -> None:
    """Do at the start of an environment what every invocation would else wait for: the slow imports.

    Lambda gives an invocation a share of a processor that goes with its memory, at 256 MB a seventh; the
    start of an environment is not held to that. Errors in the settings are left to the invocations.
    """
    import binance.spot  # noqa: F401
    import stamina  # noqa: F401

    import btc_assets.market.http_session  # noqa: F401

    if os.environ.get("BTC_LANDING", "").startswith("s3://"):
        import boto3

        boto3.client("s3")  # reads S3's protocol, which later clients share


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _get_ready()
