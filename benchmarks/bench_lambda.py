"""The ingestion Lambda, measured: ``python -m benchmarks.bench_lambda``.

The real runtime client runs the handler against an exchange and a Dagster on loopback, landing on
S3: cold start to response, warm invocations, peak memory; and the size of what it installs.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from exchange import Exchange  # noqa: E402 - the tests' own servers
from fake_dagster import LAUNCHED, GraphQL, state  # noqa: E402
from lambda_runtime import Function  # noqa: E402

Row = tuple[str, str, str]
"""What, measured, aim."""

EVENT = {"source": "aws.scheduler", "time": "2018-03-01T00:05:00Z"}
STARTS, WARM = 5, 30
NOT_OURS = {"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"}
"""What AWS's base image brings with boto3."""


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    with s3_bucket() as (endpoint, location):
        cold, busy, warm, peak = invocations(location, endpoint)
    folder, _, _, _ = invocations(None, "")
    floor = statistics.median(bare_start() for _ in range(STARTS))
    return [
        ("Lambda: cold start to response, landing on S3", f"{statistics.median(cold):.2f} s", "<= 1 s"),
        (
            "Lambda: processor time of that (what an idle machine takes)",
            f"{statistics.median(busy):.2f} s",
            "",
        ),
        ("Lambda: the same into a folder, without boto3", f"{statistics.median(folder):.2f} s", ""),
        ("Lambda: the runtime client alone", f"{floor:.2f} s", ""),
        ("Lambda: warm invocation, median", f"{statistics.median(warm) * 1000:.0f} ms", ""),
        ("Lambda: peak memory", f"{peak:.0f} MiB", "<= 128 MiB"),
        ("Lambda: requirements beyond the base and boto3", f"{installed():.1f} MiB", "<= 25 MiB"),
    ]


@contextmanager
def s3_bucket() -> Iterator[tuple[str, str]]:
    """Endpoint and address of a bucket on an S3 stand-in."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **given).create_bucket(Bucket="bench")
    yield endpoint, "s3://bench/landing"
    server.stop()


def invocations(location: str | None, endpoint: str) -> tuple[list[float], list[float], list[float], float]:
    """Seconds of cold invocations, their processor time, seconds of warm ones, peak memory in MiB."""
    cold, busy, warm, peak = [], [], [], 0.0
    exchange = Exchange().start()
    for start in range(STARTS):
        dagster = GraphQL((200, state()), (200, LAUNCHED), (200, state(done=[("2018-02-28", "2018-02-28")])))
        with tempfile.TemporaryDirectory() as folder:
            given = {
                "BTC_LANDING": f"{location}/{start}" if location else folder,
                "BTC_S3_ENDPOINT": endpoint,
                "BTC_BINANCE_URL": exchange.url,
                "DAGSTER_URL": dagster.url,
            }
            function = Function("lambda_image.handler.handler", given)
            cold.append(succeed(function))
            busy.append(processor_time(function.pid))
            warm += [succeed(function) for _ in range(WARM)]
            peak = max(peak, peak_memory(function.pid))
            function.close()
        dagster.close()
    exchange.stop()
    return cold, busy, warm, peak


def succeed(function: Function) -> float:
    """Seconds of one invocation, which must succeed."""
    outcome = function.invoke(EVENT)
    if outcome.error is not None:
        raise RuntimeError(f"{outcome.error}: {outcome.message}")
    return outcome.seconds


def processor_time(pid: int | None) -> float:
    """Seconds of processor time the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int | None) -> float:
    """MiB the process ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def bare_start() -> float:
    """Seconds to start Python with the runtime client and nothing of ours."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import awslambdaric.bootstrap"], check=True)
    return time.perf_counter() - began


def installed() -> float:
    """MiB of the packages in the function's lock that AWS's base does not bring."""
    text = (ROOT / "lambda_image" / "requirements.txt").read_text()
    names = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)) - NOT_OURS
    files = [file for name in names for file in importlib.metadata.files(name) or ()]
    ours = [file for file in files if not str(file).startswith("..") and file.suffix != ".pyc"]
    return (
        sum(Path(str(file.locate())).stat().st_size for file in ours if Path(str(file.locate())).exists())
        / 2**20
    )


if __name__ == "__main__":
    for what, measured, aim in run():
        print(f"{what:62} {measured:>12}  {aim}")
