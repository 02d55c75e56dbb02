"""The ingestion Lambda, measured: ``python -m benchmarks.bench_lambda``.

The function's folder is put together as its Dockerfile does, from its own lock, and run by the real runtime
client against an exchange and a Dagster on loopback, landing on S3: cold start to response, warm
invocations, peak memory. The libraries of this project's own environment stay out of it: some of them make
others slower to import (requests takes simplejson and chardet where it finds them).
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from exchange import Exchange  # noqa: E402 - the tests' own servers
from fake_dagster import LAUNCHED, GraphQL, state  # noqa: E402
from lambda_runtime import Function  # noqa: E402
from s3_server import s3_server  # noqa: E402

Row = tuple[str, str, str]
"""What, measured, aim."""

EVENT = {"source": "aws.scheduler", "time": "2018-03-01T00:05:00Z"}
STARTS, WARM = 7, 30
WITH_BOTO3 = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3"}
"""What AWS's base image brings with boto3."""


@dataclass(frozen=True)
class Times:
    """Medians of what was measured, in seconds and MiB."""

    cold: float
    init: float
    """Of the cold start: until the environment asks for its first event."""
    busy: float
    """Processor time of the cold start, first answer included."""
    queued: float
    """Of the cold start: ready to run, while other programs had the processors."""
    warm: float
    peak: float


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    with tempfile.TemporaryDirectory() as place, s3_bucket() as (endpoint, location):
        task = function_folder(Path(place) / "task")
        runtime = install(Path(place) / "runtime", "awslambdaric")
        s3 = invocations(task, runtime, location, endpoint)
        folder = invocations(task, runtime, None, "")
        floor = statistics.median(bare_start(runtime) for _ in range(STARTS))
        ours, all_of_it = installed(task)
    return [
        ("Lambda: cold start to response, landing on S3", f"{s3.cold:.2f} s", "<= 1 s"),
        ("Lambda: of that, imports before the first event is taken", f"{s3.init:.2f} s", ""),
        ("Lambda: processor time of the cold start", f"{s3.busy:.2f} s", ""),
        ("Lambda: of the cold start, waiting for a processor others held", f"{s3.queued:.2f} s", ""),
        ("Lambda: cold start landing in a folder, without boto3", f"{folder.cold:.2f} s", ""),
        ("Lambda: the runtime client alone", f"{floor:.2f} s", ""),
        ("Lambda: warm invocation", f"{s3.warm * 1000:.0f} ms", ""),
        ("Lambda: peak memory", f"{s3.peak:.0f} MiB", "<= 128 MiB"),
        ("Lambda: installed beyond the base and boto3", f"{ours:.1f} MiB", "<= 25 MiB"),
        ("Lambda: installed, boto3 included", f"{all_of_it:.1f} MiB", ""),
    ]


def function_folder(task: Path) -> Path:
    """``task`` as lambda_image/Dockerfile fills it: packages of the lock, our modules, all compiled."""
    install(task, "--require-hashes", "-r", str(ROOT / "lambda_image" / "requirements.txt"))
    shutil.rmtree(task / "bin", ignore_errors=True)
    for name in ("btc_assets/__init__.py", "btc_assets/errors.py"):
        (task / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, task / name)
    only_code = shutil.ignore_patterns("__pycache__", "requirements*", "Dockerfile", "*.yaml")
    for name in ("btc_assets/io", "btc_assets/market", "lambda_image"):
        shutil.copytree(ROOT / name, task / name, ignore=only_code)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(task)], check=True)
    return task


def install(target: Path, *what: str) -> Path:
    """Packages into a folder of their own."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "-q", "--python", sys.executable, "--compile-bytecode"]
    subprocess.run([*command, "--target", str(target), *what], check=True)
    return target


@contextmanager
def s3_bucket() -> Iterator[tuple[str, str]]:
    """Endpoint and address of a bucket on an S3 stand-in, which is a process of its own."""
    import boto3

    with s3_server() as endpoint:
        given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **given).create_bucket(Bucket="bench")
        yield endpoint, "s3://bench/landing"


def invocations(task: Path, runtime: Path, location: str | None, endpoint: str) -> Times:
    """Medians over new environments: one cold invocation each, then warm ones."""
    cold, init, busy, queued, warm, peak = [], [], [], [], [], []
    exchange = Exchange().start()
    for start in range(STARTS):
        dagster = GraphQL((200, state()), (200, LAUNCHED), (200, state(done=[("2018-02-28", "2018-02-28")])))
        with tempfile.TemporaryDirectory() as folder:
            given = {
                "BTC_LANDING": f"{location}/{start}" if location else folder,
                "BTC_S3_ENDPOINT": endpoint,
                "BTC_BINANCE_URL": exchange.url,
                "DAGSTER_URL": dagster.url,
                "PYTHONPATH": f"{task}:{runtime}",
            }
            # -S: without this environment's own libraries.
            command = [sys.executable, "-S", "-m", "awslambdaric", "lambda_image.handler.handler"]
            function = Function("", given, command=command)
            cold.append(succeed(function))
            init.append(function.init_seconds)
            on_processor, in_queue = scheduled(function.pid)
            busy.append(on_processor)
            queued.append(in_queue)
            warm += [succeed(function) for _ in range(WARM)]
            peak.append(peak_memory(function.pid))
            function.close()
        dagster.close()
    exchange.stop()
    middle = statistics.median
    return Times(middle(cold), middle(init), middle(busy), middle(queued), middle(warm), max(peak))


def succeed(function: Function) -> float:
    """Seconds of one invocation, which must succeed."""
    outcome = function.invoke(EVENT)
    if outcome.error is not None:
        raise RuntimeError(f"{outcome.error}: {outcome.message}")
    return outcome.seconds


def scheduled(pid: int | None) -> tuple[float, float]:
    """Seconds the process has been on a processor, and seconds its main thread has waited for one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    waited = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), waited / 1e9


def peak_memory(pid: int | None) -> float:
    """MiB the process ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def bare_start(runtime: Path) -> float:
    """Seconds to start Python with the runtime client and nothing of ours."""
    began = time.perf_counter()
    command = [sys.executable, "-S", "-c", "import awslambdaric.bootstrap"]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(runtime)})
    return time.perf_counter() - began


def installed(task: Path) -> tuple[float, float]:
    """MiB in the function's folder: what AWS's base does not bring, and everything."""
    sizes = {entry.name: size_of(entry) for entry in task.iterdir()}
    theirs = sum(size for name, size in sizes.items() if name.split("-")[0] in WITH_BOTO3)
    return (sum(sizes.values()) - theirs) / 2**20, sum(sizes.values()) / 2**20


def size_of(entry: Path) -> int:
    """Bytes of a file or of all files below a folder."""
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    for what, measured, aim in run():
        print(f"{what:62} {measured:>12}  {aim}")
