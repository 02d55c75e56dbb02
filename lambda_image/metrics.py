"""One line that is log and metrics at once: CloudWatch's embedded metric format."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lambda_image.event import Order

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


@contextmanager
def counting_failures(symbol: str, order: Order) -> Iterator[None]:
    """Count what fails inside, and say so; on the last call, that the day is missing."""
    try:
        yield
    except Exception as error:
        missing = {"DayMissing": 1} if order.last_call else {}
        log_metrics(symbol, f"{order.day} failed: {error}", missing | {"Failures": 1}, logging.ERROR)
        raise


def log_metrics(symbol: str, message: str, figures: Mapping[str, int], level: int = logging.INFO) -> None:
    """Write ``message`` and count ``figures`` in the namespace ``BtcAssets``, by ``symbol``."""
    metric = {
        "Namespace": "BtcAssets",
        "Dimensions": [["Symbol"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in figures],
    }
    extra = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}}
    _log.log(level, message, extra={**extra, **figures, "Symbol": symbol})
