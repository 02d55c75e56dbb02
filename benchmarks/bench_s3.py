"""A day's run with tables and models on S3 against the same on local disk, and what S3 is asked for.

The S3 server is moto in a process of its own, on loopback: no network between, but a slow server. The ratio
says what the requests cost here; on AWS each takes its round trip instead, so they are counted too.
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from exchange import Exchange  # noqa: E402 - the tests' own servers
from faulty_s3 import FaultyS3, faulty_s3  # noqa: E402
from graph_environment import GraphEnvironment, point_settings_at  # noqa: E402
from s3_server import CREDENTIALS, s3_server  # noqa: E402

from btc_assets.launch import open_instance  # noqa: E402
from btc_assets.market.calendar import DAY, last_closed_day  # noqa: E402
from btc_assets.settings import load  # noqa: E402

Row = tuple[str, str, str]
"""What, measured, aim."""

DAYS = 5
"""Days run one after the other, each for the first time; the median counts."""


def run() -> list[Row]:
    """The same days on both, and the ratio."""
    import boto3
    import pytest

    with pytest.MonkeyPatch.context() as patch, s3_server() as endpoint, faulty_s3(endpoint) as line:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bench")
        local, _ = days(patch, "", None)
        remote, asked = days(patch, "s3://bench/data", line)
    return [
        ("a day's run, models carried, on local disk", f"{local:.2f} s", ""),
        ("a day's run, models carried, on S3 (moto, loopback)", f"{remote:.2f} s", ""),
        ("S3 / local disk", f"{remote / local:.2f} x", ""),
        ("requests to S3 a day", f"{asked:.0f}", ""),
    ]


def days(patch, where: str, line: FaultyS3 | None) -> tuple[float, float]:
    """Median seconds of a day's run, and median number of requests to S3, with data at ``where``."""
    newest = last_closed_day(dt.datetime.now(dt.UTC))
    first = newest - (DAYS - 1) * DAY
    exchange = Exchange(clock=dt.datetime.now(dt.UTC)).start()
    seconds, requests = [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = point_settings_at(patch, exchange, Path(folder))
        if line is not None:
            patch.setenv("BTC_DATA_DIR", where)
            patch.setenv("BTC_S3_ENDPOINT", line.url)
            settings = load()
        with open_instance(settings) as instance:
            graph = GraphEnvironment(exchange, settings, instance)
            graph.run("market_history", dt.date(2017, 8, 17), first - DAY)
            graph.register(first - DAY, newest)
            graph.run("walk_forward", first - DAY, first - DAY)
            for n in range(DAYS):
                if line is not None:
                    line.spoil("count")
                began = time.perf_counter()
                graph.run("daily_partition", first + n * DAY, first + n * DAY)
                seconds.append(time.perf_counter() - began)
                requests.append(line.spoilt() if line is not None else 0)
    exchange.stop()
    return statistics.median(seconds), statistics.median(requests)


if __name__ == "__main__":
    for what, measured, aim in run():
        print(f"{what:62} {measured:>12}  {aim}")
