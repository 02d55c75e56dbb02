"""The whole function, run by the real `awslambdaric` against S3, the exchange and Dagster on loopback."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import exchange as faults
import pytest
from exchange import Exchange
from fake_dagster import LAUNCHED, GraphQL, state
from lambda_runtime import Function
from s3_server import aws_in_a_thread

EVENT = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "2018-03-01T00:05:00Z"}
FIRST_KEY = "landing/BTCUSDT/2018-02-28/0001-"


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with aws_in_a_thread() as address:
        yield address


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.name)) % 10**12}"
    s3.create_bucket(Bucket=name)
    return name


class Stage:
    """A function with everything it talks to."""

    def __init__(self, exchange: Exchange, bucket: str, s3: Any, s3_url: str) -> None:
        self.exchange, self.bucket, self._s3 = exchange, bucket, s3
        self.dagster = GraphQL(
            (200, state()), (200, LAUNCHED), (200, state(done=[("2018-02-28", "2018-02-28")]))
        )
        self.environ = {
            "BTC_LANDING": f"s3://{bucket}/landing",
            "BTC_BINANCE_URL": exchange.url,
            "BTC_S3_ENDPOINT": s3_url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": s3_url,
            "DAGSTER_URL": self.dagster.url,
            "DAGSTER_TOKEN": "canary",
        }
        self._function: Function | None = None

    def function(self, timeout: float = 60.0, **environ: str) -> Function:
        self.close_function()
        self._function = Function("lambda_image.handler.handler", self.environ | environ, timeout=timeout)
        return self._function

    def keys(self) -> list[str]:
        listed = self._s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [item["Key"] for item in listed]

    def close_function(self) -> None:
        if self._function is not None:
            self._function.close()

    def close(self) -> None:
        self.close_function()
        self.dagster.close()


@pytest.fixture
def stage(exchange: Exchange, bucket: str, s3: Any, s3_url: str) -> Iterator[Stage]:
    stage = Stage(exchange, bucket, s3, s3_url)
    yield stage
    stage.close()


def log_lines(function: Function) -> list[dict[str, Any]]:
    time.sleep(0.05)  # the process writes its last line after it has answered
    return [json.loads(line) for line in function.output if line.startswith("{")]


def test_an_event_lands_the_candle_and_starts_the_day(stage: Stage) -> None:
    function = stage.function()
    outcome = function.invoke(EVENT)
    assert outcome.error is None, outcome.message
    assert outcome.payload == {
        "day": "2018-02-28",
        "landed": ["2018-02-28"],
        "restated": [],
        "unchanged": 0,
        "without_bars": [],
        "run": "run-1",
    }
    (key,) = stage.keys()
    assert key.startswith(FIRST_KEY)


def test_L1_delivered_three_times_it_is_one_object_and_one_run(stage: Stage) -> None:
    function = stage.function()
    outcomes = [function.invoke(EVENT) for _ in range(3)]
    assert [outcome.payload["run"] for outcome in outcomes] == ["run-1", None, None]
    assert [outcome.payload["landed"] for outcome in outcomes] == [["2018-02-28"], [], []]
    assert [outcome.cold for outcome in outcomes] == [True, False, False]
    assert len(stage.keys()) == 1
    assert sum("LaunchDay" in question["query"] for question in stage.dagster.asked) == 1


@pytest.mark.parametrize("event", [{}, [], "hello", {"source": "aws.s3", "Records": []}, {"day": "tomorrow"}])
def test_L4_garbage_fails_and_touches_nothing(stage: Stage, event: Any) -> None:
    outcome = stage.function().invoke(event)
    assert outcome.error == "EventError"
    assert stage.exchange.requests == []
    assert stage.keys() == []


def test_L4_what_is_not_even_json_fails(stage: Stage) -> None:
    assert stage.function().invoke(b"not json").error is not None


def test_L5_with_dagster_down_the_candle_is_landed_and_the_invocation_fails(stage: Stage) -> None:
    function = stage.function()
    stage.dagster.answers[:] = [(500, b"<html>bad gateway</html>")]
    outcome = function.invoke(EVENT)
    assert outcome.error == "DagsterError"
    assert len(stage.keys()) == 1
    stage.dagster.answers[:] = [(200, state()), (200, LAUNCHED)]
    assert function.invoke(EVENT).payload["run"] == "run-1"


def test_L2_killed_at_the_time_out_nothing_half_written_is_left(stage: Stage) -> None:
    stage.exchange.spoil(faults.hang, times=50)
    function = stage.function(timeout=1.5)
    assert function.invoke(EVENT).error == "Sandbox.Timedout"
    assert stage.keys() == []
    stage.exchange._faults.clear()
    function.timeout = 60.0
    healed = function.invoke(EVENT)
    assert (healed.cold, healed.payload["landed"]) == (True, ["2018-02-28"])


def test_a_candle_that_is_not_closed_yet_fails_so_that_lambda_tries_again(stage: Stage) -> None:
    outcome = stage.function().invoke(EVENT | {"time": "2018-03-02T00:05:00Z"})
    assert outcome.error == "NoDataYet"
    assert "expected shortly after 2018-03-02 00:00 UTC" in outcome.message


def test_a_missing_bucket_is_named(stage: Stage) -> None:
    outcome = stage.function(BTC_LANDING="s3://no-such-bucket-here/landing").invoke(EVENT)
    assert outcome.error == "SourceRefused"
    assert "no-such-bucket-here" in outcome.message
    assert "check the bucket's name and this role's rights" in outcome.message


def test_a_missing_setting_is_named(stage: Stage) -> None:
    outcome = stage.function(BTC_LANDING="").invoke(EVENT)
    assert (outcome.error, "BTC_LANDING is empty" in outcome.message) == ("ConfigurationError", True)


def test_the_token_comes_from_secrets_manager(stage: Stage, s3_url: str) -> None:
    import boto3

    secrets = boto3.client("secretsmanager", endpoint_url=s3_url, region_name="eu-central-1")
    secrets.create_secret(Name="dagster-token", SecretString="from-the-vault\n")
    assert stage.function(DAGSTER_TOKEN_SECRET="dagster-token").invoke(EVENT).error is None
    assert stage.dagster.headers[0]["Authorization"] == "Bearer from-the-vault"


def test_a_person_lands_a_day_without_a_run(stage: Stage) -> None:
    outcome = stage.function().invoke({"day": "2018-02-20", "launch": False})
    assert (outcome.payload["landed"], outcome.payload["run"]) == (["2018-02-20"], None)
    assert stage.dagster.asked == []


def test_the_log_is_one_structured_line_with_metrics_and_no_secret(stage: Stage) -> None:
    function = stage.function()
    function.invoke(EVENT)
    (line,) = [line for line in log_lines(function) if "_aws" in line]
    assert line["message"] == "2018-02-28 landed"
    (metric,) = line["_aws"]["CloudWatchMetrics"]
    assert {m["Name"] for m in metric["Metrics"]} >= {"DayLanded", "CandlesLanded", "RunsLaunched"}
    assert (line["DayLanded"], line["CandlesLanded"], line["Symbol"]) == (1, 1, "BTCUSDT")
    assert "canary" not in "".join(function.output)


@pytest.mark.parametrize("last_call", [False, True])
def test_L5_only_the_last_call_of_the_day_reports_it_missing(stage: Stage, last_call: bool) -> None:
    del stage.exchange.rows[max(stage.exchange.rows)], stage.exchange.rows[max(stage.exchange.rows)]
    function = stage.function()
    assert function.invoke(EVENT | {"last_call": last_call}).error == "NoDataYet"
    (line,) = [line for line in log_lines(function) if "_aws" in line]
    assert ("DayMissing" in line) is last_call
    assert line["level"] == "ERROR"


def test_the_function_imports_nothing_heavy(stage: Stage) -> None:
    function = stage.function(PYTHONPROFILEIMPORTTIME="1")
    assert function.invoke(EVENT).error is None
    imported = "\n".join(function.output)
    assert "btc_assets.market.sources.binance" in imported
    for heavy in ("polars", "numpy", "dagster", "tensorflow", "pydantic", "dash", "structlog"):
        assert f"| {heavy}\n" not in imported.replace("  ", "")


def test_the_slow_imports_are_made_at_the_start_not_in_an_invocation(stage: Stage) -> None:
    """An event that is refused at once shows what was there before it came."""
    function = stage.function(PYTHONPROFILEIMPORTTIME="1")
    assert function.invoke({}).error == "EventError"
    imported = "\n".join(function.output)
    for slow in ("binance.spot", "boto3", "stamina", "btc_assets.market.http_session"):
        assert re.search(rf"\| +{re.escape(slow)}\n", imported), slow
