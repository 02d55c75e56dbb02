"""The entry point: event in, the day's whole job run on the store, one structured line out.

The same day again changes nothing, so events may be doubled, late or at the same time. Whatever fails is
raised, so that Lambda's retries and the dead-letter queue do their work; what was written by then stays, and
the next call goes on from there.
"""

from __future__ import annotations

import os
from typing import Any

import dagster as dg

from btc_assets.settings import Settings, load
from lambda_image.config import DagsterAccess, dagster_access
from lambda_image.context import Context
from lambda_image.event import Order, order_of
from lambda_image.launch import DagsterError
from lambda_image.metrics import counting_failures, log_metrics
from lambda_image.partition.catch_up import DayReport, Store, catch_up
from lambda_image.partition.report import Reporter


def handler(event: object, context: Context) -> dict[str, Any]:
    """Run the day of ``event``, then what is missing before it; see `lambda_image.event.order_of`.

    ``launch: false`` in an event keeps Dagster out of it: nothing is reported there.
    """
    settings, access = load(), dagster_access(os.environ)
    order = order_of(event)
    with counting_failures(settings.symbol, order):
        return _obey(settings, access, order, context)


def _obey(settings: Settings, access: DagsterAccess, order: Order, context: Context) -> dict[str, Any]:
    """Find out what Dagster does not know, run the days, report them, say what was done."""
    reporter = Reporter(access if order.launch else DagsterAccess(), order.day)
    with dg.DagsterInstance.ephemeral() as instance:
        store = Store(settings, lambda: context.get_remaining_time_in_millis() / 1000, instance)
        done = catch_up(store, order.day, reporter)
    figures = {"DayRun": 1, "DaysRun": len(done.run), "DaysLeft": len(done.left)}
    log_metrics(settings.symbol, f"{order.day} is there{_left_in_words(done)}", figures)
    if reporter.problem:
        raise DagsterError(f"{order.day} is there, but was not reported: {reporter.problem}")
    return {
        "day": order.day.isoformat(),
        "run": [day.isoformat() for day in done.run],
        "left": [day.isoformat() for day in done.left],
        "reported": reporter.count,
    }


def _left_in_words(done: DayReport) -> str:
    if not done.left:
        return ""
    return f"; left for the next call: {len(done.left)} days from {done.left[0]} to {done.left[-1]}"
