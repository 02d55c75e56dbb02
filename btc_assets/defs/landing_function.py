"""Having the Lambda land a day that is missing from the landing zone, from within a run (Dagster Pipes).

Only where a function is named (``BTC_LANDING_FUNCTION``). It is waited for, and what it says goes into the
metadata of the candle's materialisation.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import dagster as dg

from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.defs.runs import windows
from btc_assets.errors import NoDataYet, SourceRefused, SourceUnavailable
from btc_assets.extras import require_extras
from btc_assets.market.sources.landing import LandingZone

DAYS_A_CALL = 8
"""The function lands a day, the seven before it, and everything since the newest day that was landed."""

LONGEST_CALL = 150
"""Seconds that a call may take; the function is killed after 120."""


def land_missing(context: dg.AssetExecutionContext, platform: Platform, window: Window) -> dict[str, Any]:
    """Have the days of ``window`` landed that are not; return metadata that says what the function reported.

    Days before the zone begins are left alone: history is loaded from the archive.

    Raises:
        NoDataYet: the exchange has no closed candle of a day yet.
        SourceRefused: there is no such function, or this role may not invoke it.
        SourceUnavailable: the function failed, or could not be reached.
        ConfigurationError: the AWS packages are not installed.
    """
    zone, function = platform.source, platform.settings.landing_function
    if not function or not isinstance(zone, LandingZone):
        return {}
    calls = [
        part.last
        for gap in windows(missing_days(zone, platform.settings.symbol, window))
        for part in gap.chunks(DAYS_A_CALL)
    ]
    if not calls:
        return {}
    reports = [invoke(context, function, day) for day in calls]
    return {"landed by the Lambda": dg.MetadataValue.json(reports)}


def missing_days(zone: LandingZone, symbol: str, window: Window) -> list[dt.date]:
    """Return the days of ``window`` that are not landed, since the zone began (an empty one: the last)."""
    there = {landed.date for landed in zone.newest(symbol, window.start, window.end)}
    begins = zone.first_day(symbol) or window.last
    return [day for day in window.days if day >= begins and day not in there]


def invoke(context: dg.AssetExecutionContext, function: str, day: dt.date) -> dict[str, Any]:
    """Have ``function`` land ``day``, without a run; return its report. Raises as `land_missing`."""
    require_extras("aws", purpose="BTC_LANDING_FUNCTION")
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from dagster_aws.pipes import PipesLambdaClient

    once = Config(
        read_timeout=LONGEST_CALL, retries={"total_max_attempts": 1}
    )  # a repeated call would overlap
    try:
        client = PipesLambdaClient(boto3.client("lambda", config=once))
        done = client.run(
            context=context, function_name=function, event={"day": day.isoformat(), "launch": False}
        )
    except ClientError as error:
        refused = error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)
        kind = SourceRefused if refused else SourceUnavailable
        raise kind(f"the Lambda {function} could not be invoked for {day}: {error}") from error
    except BotoCoreError as error:
        raise SourceUnavailable(f"the Lambda {function} did not answer for {day}: {error}") from error
    except Exception as error:
        raise _failure(function, day, str(error)) from error
    return dict(next(iter(done.get_custom_messages()), {"day": day.isoformat(), "report": "not in its log"}))


def _failure(function: str, day: dt.date, text: str) -> NoDataYet | SourceUnavailable:
    """Return the error of a function that failed; ``text`` is Pipes': a line, then what the function said."""
    try:
        said = json.loads(text.partition("\n")[2])
        kind, message = said["errorType"], said["errorMessage"]
    except (ValueError, KeyError, TypeError):
        kind, message = "", text
    if kind == NoDataYet.__name__:
        return NoDataYet(message)
    return SourceUnavailable(f"the Lambda {function} failed for {day}: {message}")
