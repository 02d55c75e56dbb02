"""The entry point: event in, candle landed, day started in Dagster, one structured line out.

Delivered twice, it lands nothing twice and starts no second run. Whatever fails is raised, so that
Lambda's retries and the dead-letter queue do their work; what was landed by then stays landed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.binance import Binance
from btc_assets.market.sources.landing import LandingZone
from lambda_image.config import Config, config_from
from lambda_image.event import Order, order_of
from lambda_image.ingest import LandingReport, land_days
from lambda_image.launch import Dagster
from lambda_image.pipes import is_from_pipes, report_to_pipes

_HOLD_FILE = Path("/tmp/binance-hold.json")  # noqa: S108 - the only folder a Lambda may write to
_KEPT_FOR_DAGSTER = 25.0
"""Seconds of the time left that the exchange may not use up."""

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


class Context(Protocol):
    """What we use of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return milliseconds until the function is killed."""


def handler(event: object, context: Context) -> dict[str, Any]:
    """Do what ``event`` orders; see `lambda_image.event.order_of` for the events that are known."""
    if is_from_pipes(event):
        return report_to_pipes(cast("dict[str, Any]", event), lambda rest: _handle(rest, context))
    return _handle(event, context)


def _handle(event: object, context: Context) -> dict[str, Any]:
    config = config_from(os.environ)
    order = order_of(event)
    try:
        return _obey(config, order, lambda: context.get_remaining_time_in_millis() / 1000)
    except Exception as error:
        missing = {"DayMissing": 1} if order.last_call else {}
        _log_metrics(config, f"{order.day} failed: {error}", missing | {"Failures": 1}, level=logging.ERROR)
        raise


def _obey(config: Config, order: Order, seconds_left: Callable[[], float]) -> dict[str, Any]:
    """Land, launch, report."""
    landings = _land_candles(config, order, seconds_left)
    run = _start(config, landings) if order.launch and config.dagster_url else None
    figures = {
        "DayLanded": 1,
        "CandlesLanded": len(landings.fresh),
        "CandlesRestated": len(landings.restated),
        "DaysWithoutBars": len(landings.without_bars),
        "RunsLaunched": int(run is not None),
    }
    _log_metrics(config, f"{order.day} landed", figures)
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


def _start(config: Config, landings: LandingReport) -> str | None:
    return Dagster(config.dagster_url, _token(config)).start({*landings.fresh, landings.day})


def _token(config: Config) -> str:
    """Return the token for Dagster's API, from Secrets Manager where a secret is named."""
    return _secret(config.dagster_token_secret) if config.dagster_token_secret else config.dagster_token


@cache
def _secret(name: str) -> str:
    import boto3

    return str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]).strip()


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


def _log_metrics(config: Config, message: str, figures: dict[str, int], level: int = logging.INFO) -> None:
    """Return one line that is log and metrics at once (CloudWatch's embedded metric format)."""
    metric = {
        "Namespace": "BtcAssets",
        "Dimensions": [["Symbol"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in figures],
    }
    extra = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}}
    _log.log(level, message, extra=extra | figures | {"Symbol": config.symbol})


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _get_ready()
