"""The image of the Lambda that runs a day: built, then driven by the real runtime client, S3 on loopback.

Seconds are those from a container that is not there to the answer. The tests hold processor time to the aim,
for other programs may have the processors. Memory is what the container's processes hold together at most.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import images
import psutil
import pytest
from exchange import Exchange
from image_layers import require_clean
from lambda_runtime import Function
from partition_stage import event_of, newest_day, succeeded
from s3_server import CREDENTIALS, s3_server

from btc_assets.market.calendar import DAY
from btc_assets.modeling.vintages import grid_cutoff

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

SECONDS_CARRIED, GIGABYTES_CARRIED = 60, 1.5
SECONDS_REFIT = 300
REFIT_EVERY = 7


@pytest.fixture(scope="module")
def image() -> str:
    images.require_tools()
    return images.build(
        "localhost/btc-partition:test", "lambda_image/partition/Dockerfile", images.lambda_base()
    )


@dataclass
class Measured:
    """One cold invocation."""

    payload: dict[str, Any]
    seconds: float
    busy: float
    """Processor time of the function and the processes it started, in seconds."""
    gigabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.busy:.1f} s of processor time, {self.gigabytes:.2f} GB"


@contextmanager
def container(image: str, environ: dict[str, str]) -> Iterator[Function]:
    """A function in a container whose file system is read-only but for /tmp, as Lambda's is."""
    name = f"partition-{uuid.uuid4().hex}"
    given = environ | {
        "AWS_LAMBDA_RUNTIME_API": "{runtime_api}",
        "AWS_LAMBDA_FUNCTION_NAME": "partition",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    options = [part for key, value in given.items() for part in ("-e", f"{key}={value}")]
    command = images.podman_run(image, *options, "--name", name, "--read-only-tmpfs=false")
    function = Function("", {}, command=command, timeout=890.0)
    try:
        yield function
    finally:
        function.close()
        images.run("podman", "rm", "--force", "--ignore", name)


def cold(image: str, environ: dict[str, str], day: dt.date) -> Measured:
    """Invoke a new container for ``day`` and take its processes' figures before it is gone."""
    with container(image, environ) as function, peak_memory() as peak:
        outcome = function.invoke(event_of(day))
        busy = sum(sum(process.cpu_times()[:4]) for process in functions())
    return Measured(succeeded(outcome), outcome.seconds, busy, max(peak) / 1e9)


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The bytes that the function's processes hold together, five times a second; the most so far."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            there = [each for one in functions() for each in (one, *one.children(recursive=True))]
            most[0] = max(most[0], sum(map(held, there)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def functions() -> list[psutil.Process]:
    """The runtime clients that run in a container of this image."""
    clients = [
        each for each in psutil.process_iter(["cmdline"]) if "awslambdaric" in (each.info["cmdline"] or [])
    ]
    inside = "root/var/task/lambda_image/partition"
    return [each for each in clients if Path(f"/proc/{each.pid}/{inside}").exists()]


def held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


@pytest.fixture(scope="module")
def store(image: str) -> Iterator[tuple[dict[str, str], Exchange]]:
    """An empty bucket and an exchange with all of history."""
    import boto3

    exchange = Exchange(clock=dt.datetime.now(dt.UTC)).start()
    with s3_server() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="store")
        given = {
            "BTC_SOURCE": "binance",
            "BTC_BINANCE_URL": exchange.url,
            "BTC_DATA_DIR": "s3://store/data",
            "BTC_S3_ENDPOINT": endpoint,
        }
        yield CREDENTIALS | given, exchange
    exchange.stop()


def test_from_an_empty_bucket_to_a_carried_day_and_a_refit_each_after_a_cold_start(
    image: str, store: tuple[dict[str, str], Exchange], capsys: pytest.CaptureFixture[str]
) -> None:
    environ, _ = store
    refit = grid_cutoff(newest_day(), REFIT_EVERY)
    first = cold(image, environ, refit - 2 * DAY)
    carried = cold(image, environ, refit - DAY)
    fitted = cold(image, environ, refit)
    with capsys.disabled():
        for what, each in (("first start", first), ("carried", carried), ("refit", fitted)):
            print(f"\npartition image, {what}: {each}", end="")
    assert [each.payload["run"] for each in (first, carried, fitted)] == [
        [f"{refit - n * DAY}"] for n in (2, 1, 0)
    ]
    assert carried.busy <= SECONDS_CARRIED
    assert carried.gigabytes <= GIGABYTES_CARRIED
    assert fitted.busy <= SECONDS_REFIT


def test_it_holds_the_graph_and_neither_the_page_nor_tests(image: str) -> None:
    listed = images.run(*images.podman_run(image, "--entrypoint", "ls", "--", "/var/task")).split()
    assert {"btc_assets", "lambda_image", "dagster", "tensorflow", "polars"} <= set(listed)
    assert not {"btc_dash", "dash", "tests", "moto", "pytest", "hopsworks"} & set(listed)


def test_the_image_is_far_from_lambda_s_10_gigabytes(image: str) -> None:
    assert images.size(image) < 4e9


def test_K2_no_layer_holds_a_secret_a_cache_or_a_path_of_the_build_machine(image: str) -> None:
    require_clean(image, images.lambda_base())
