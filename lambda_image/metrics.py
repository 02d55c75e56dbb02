"""One line that is log and metrics at once: CloudWatch's embedded metric format."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def log_metrics(symbol: str, message: str, figures: Mapping[str, int], level: int = logging.INFO) -> None:
    """Write ``message`` and count ``figures`` in the namespace ``BtcAssets``, by ``symbol``."""
    metric = {
        "Namespace": "BtcAssets",
        "Dimensions": [["Symbol"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in figures],
    }
    extra = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]}}
    _log.log(level, message, extra={**extra, **figures, "Symbol": symbol})
