"""The Lambda image, built and invoked through the real runtime client in the container."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import images
import pytest
from exchange import Exchange
from fake_dagster import LAUNCHED, GraphQL, state
from image_layers import require_clean
from lambda_runtime import Function

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

EVENT = {"source": "aws.scheduler", "time": "2018-03-01T00:05:00Z"}
AWS_PYTHON = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
"""What AWS's base brings itself; not counted against us."""


@pytest.fixture(scope="module")
def image() -> str:
    images.require_tools()
    return images.build("localhost/btc-ingest:test", "lambda_image/Dockerfile", images.lambda_base())


def test_an_invocation_lands_the_candle_and_starts_the_day(
    image: str, exchange: Exchange, tmp_path: Path
) -> None:
    done = state(done=[("2018-02-28", "2018-02-28")])
    dagster = GraphQL((200, state()), (200, LAUNCHED), (200, done))
    landing = tmp_path / "landing"
    landing.mkdir()
    name = f"ingest-{uuid.uuid4().hex}"
    given = {
        "BTC_LANDING": "/landing",
        "BTC_BINANCE_URL": exchange.url,
        "DAGSTER_URL": dagster.url,
        "AWS_LAMBDA_RUNTIME_API": "{runtime_api}",
        "AWS_LAMBDA_FUNCTION_NAME": "ingest",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    options = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
    command = images.podman_run(image, *options, "--name", name, "-v", f"{landing}:/landing:rw")
    function = Function("", {}, command=command)
    try:
        outcomes = [function.invoke(EVENT) for _ in range(2)]
        garbage = function.invoke({"hello": "world"})
    finally:
        function.close()
        images.run("podman", "rm", "--force", name)
        dagster.close()
    assert outcomes[0].error is None, outcomes[0].message
    assert outcomes[0].payload["landed"] == ["2018-02-28"]
    assert outcomes[0].payload["run"] == "run-1"
    assert outcomes[1].payload["landed"] == []
    assert garbage.error == "EventError"
    (landed,) = landing.rglob("*.json")
    assert json.loads(landed.read_text())["symbol"] == "BTCUSDT"


def test_it_holds_the_market_code_and_nothing_of_the_rest(image: str) -> None:
    listed = images.run(
        *images.podman_run(image, "--entrypoint", "find", "--", "/var/task", "-maxdepth", "2", "-name", "*")
    ).splitlines()
    assert "/var/task/btc_assets/market" in listed
    ours = {Path(line).name for line in listed if line.startswith("/var/task/btc_assets/")}
    assert ours - {"__pycache__"} == {"__init__.py", "errors.py", "vocabulary.py", "io", "market"}
    assert not {"polars", "numpy", "dagster", "tensorflow", "pydantic"} & {Path(line).name for line in listed}


def test_what_we_add_to_the_base_and_boto3_stays_within_25_mib(image: str) -> None:
    lines = images.run(
        *images.podman_run(image, "--entrypoint", "du", "--", "-k", "--max-depth=1", "/var/task")
    ).splitlines()
    sizes = {Path(path).name: int(kib) for kib, path in (line.split("\t") for line in lines)}
    total = sizes.pop("task")
    theirs = sum(kib for name, kib in sizes.items() if name.split("-")[0] in AWS_PYTHON)
    assert (total - theirs) / 1024 <= 25


def test_K2_no_layer_holds_a_secret_a_cache_or_a_path_of_the_build_machine(image: str) -> None:
    require_clean(image, images.lambda_base())
