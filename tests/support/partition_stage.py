"""The Lambda that runs a day, with everything it talks to: an exchange, a store with a record, a Dagster."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from exchange import Exchange
from graph_environment import GraphEnvironment, point_settings_at
from lambda_runtime import Function, Outcome

from btc_assets.io.s3 import Bucket
from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, last_closed_day
from btc_assets.storage.migrate import copy_models
from btc_assets.storage.registry.cached_registry import CachedRegistry
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.s3 import S3Registry
from btc_assets.vocabulary import NETWORKS

HANDLER = "lambda_image.partition.handler.handler"
HISTORY = 900 * DAY
"""Days of candles before the record begins: more than a network's fit needs."""


def newest_day() -> dt.date:
    """The day that closed last; what is written of it now is written in time."""
    return last_closed_day(dt.datetime.now(dt.UTC))


def listed_exchange(day: dt.date) -> Exchange:
    """An exchange that lists its coin ``HISTORY`` before ``day``."""
    exchange = Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(day - HISTORY, day + DAY)
    return exchange.start()


def make_store(folder: Path, exchange: Exchange, day: dt.date, behind: int) -> None:
    """A store whose record begins and ends ``behind`` days before ``day``, with a vintage for every day."""
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, exchange, folder)
        with open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            last = day - behind * DAY
            graph.run("market_history", day - HISTORY, last)
            graph.register(last, day)
            graph.run("walk_forward", last, last)
    shutil.rmtree(folder / "real" / "dagster")


@dataclass
class Stage:
    """A store in a folder, and functions that work on it."""

    exchange: Exchange
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)

    def function(self, timeout: float = 880.0, **environ: str) -> Function:
        """A function that has not started yet."""
        given = {
            "BTC_SOURCE": "binance",
            "BTC_BINANCE_URL": self.exchange.url,
            "BTC_SOURCE_DEADLINE": "5",
            "BTC_DATA_DIR": str(self.folder),
            "BTC_CACHE_DIR": str(self.folder / "cache"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        self.functions.append(Function(HANDLER, given | self.environ | environ, timeout=timeout))
        return self.functions[-1]

    def close(self) -> None:
        """End every function."""
        for function in self.functions:
            function.close()


def event_of(day: dt.date) -> dict[str, Any]:
    """EventBridge Scheduler's event for ``day``, which is over then."""
    return {"source": "aws.scheduler", "time": f"{day + DAY}T00:05:00Z"}


def succeeded(outcome: Outcome) -> dict[str, Any]:
    """What the function answered; fails with its error."""
    assert outcome.error is None, f"{outcome.error}: {outcome.message}"
    return dict(outcome.payload)


def upload(folder: Path, endpoint: str, bucket: str) -> None:
    """Put the store in ``folder`` into a new bucket, below ``data``."""
    import boto3

    s3 = boto3.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket=bucket)
    for path in sorted((folder / "real" / "tables").rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), bucket, f"data/{path.relative_to(folder)}")
    there = Bucket(f"s3://{bucket}/data/real", endpoint)
    cache = CachedRegistry(S3Registry(there), folder.parent / "uploaded")
    for kind in NETWORKS:
        copy_models(FolderRegistry(str(folder / "real")), cache, kind, lambda *_: None)
