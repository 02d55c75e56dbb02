"""The SAM template: lint, what it expands to, and a deployment to an AWS emulator that is then driven."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from exchange import Exchange
from fake_dagster import LAUNCHED, GraphQL, state
from lambda_runtime import ROOT, Function
from s3_server import aws_in_a_thread
from sam_template import expand, of_type

TEMPLATE = ROOT / "lambda_image" / "template.yaml"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/btc-assets-images:ingest-1"


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    return expand(TEMPLATE, IMAGE)


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> dict[str, Any]:
    return dict(expanded["Resources"])


def test_the_page_s_command_can_take_the_template() -> None:
    """CloudFormation takes 51,200 bytes without a bucket; SAM's own CLI would insist on a repository."""
    assert len(TEMPLATE.read_bytes()) <= 51_200
    page = (ROOT / "docs" / "deploy.md").read_text()
    assert page.count("aws cloudformation deploy --template-file lambda_image/template.yaml") == 2
    assert "sam deploy" not in page


def test_the_function_is_an_image_with_what_it_needs(resources: dict[str, Any]) -> None:
    (function,) = of_type(resources, "AWS::Lambda::Function").values()
    assert function["PackageType"] == "Image"
    assert function["Timeout"] == 120
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    names = set(function["Environment"]["Variables"])
    read = set(re.findall(r'"((?:BTC|DAGSTER)_[A-Z0-9_]+)"', (ROOT / "lambda_image/config.py").read_text()))
    assert names <= read
    assert "DAGSTER_TOKEN" not in names


@pytest.mark.parametrize(("name", "minute"), [("ScheduleExpression", 5), ("LastCallExpression", 55)])
def test_the_cron_expressions_are_valid_and_mean_what_they_say(
    expanded: dict[str, Any], name: str, minute: int
) -> None:
    """No linter looks inside a cron expression: minutes hours day-of-month month day-of-week year."""
    parameter = expanded["Parameters"][name]
    fields = re.fullmatch(r"cron\((.*)\)", parameter["Default"])[1].split()
    assert fields == [str(minute), "0", "*", "*", "?", "*"]
    assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])


def test_the_bucket_is_private_versioned_encrypted_and_outlives_the_stack(resources: dict[str, Any]) -> None:
    bucket = resources["Bucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert properties["VersioningConfiguration"]["Status"] == "Enabled"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    assert properties["LifecycleConfiguration"]["Rules"]


def test_the_image_can_come_later(expanded: dict[str, Any]) -> None:
    assert re.fullmatch(expanded["Parameters"]["ImageUri"]["AllowedPattern"], "")


class TestDeployed:
    """The stack on an AWS emulator. It keeps less than AWS does, so the rest is asserted above."""

    @pytest.fixture(scope="class")
    def aws(self) -> Iterator[Any]:
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
        with aws_in_a_thread() as url:
            yield lambda service: boto3.client(service, endpoint_url=url, **keys)

    @pytest.fixture(scope="class")
    def outputs(self, aws: Any, expanded: dict[str, Any]) -> dict[str, str]:
        cloud = aws("cloudformation")
        cloud.create_stack(
            StackName="btc-assets",
            TemplateBody=json.dumps(expanded),
            Parameters=[{"ParameterKey": "ImageUri", "ParameterValue": IMAGE}],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = cloud.describe_stacks(StackName="btc-assets")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def test_the_outputs_are_the_settings_of_the_graph(self, outputs: dict[str, str]) -> None:
        assert re.fullmatch(r"s3://[a-z0-9.-]+/landing", outputs["LandingPrefix"])
        assert re.fullmatch(r"s3://[a-z0-9.-]+/data", outputs["DataDir"])
        assert outputs["FunctionName"] == "btc-assets-ingest"

    def test_the_bucket_is_there(self, aws: Any, outputs: dict[str, str]) -> None:
        bucket = outputs["LandingPrefix"].split("/")[2]
        encryption = aws("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        assert encryption["Rules"]

    def test_an_event_becomes_a_candle_in_the_bucket_and_a_run(
        self, aws: Any, outputs: dict[str, str], resources: dict[str, Any], exchange: Exchange
    ) -> None:
        """The event is the schedule's own input, its time filled in as EventBridge Scheduler does."""
        text = of_type(resources, "AWS::Scheduler::Schedule")["Schedule"]["Target"]["Input"]
        due = dt.datetime(2018, 3, 1, 0, 5, tzinfo=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = json.loads(text.replace("<aws.scheduler.scheduled-time>", due))
        # The emulator makes no secrets from templates; by hand, then, as its value is put in by hand anyway.
        aws("secretsmanager").create_secret(Name="dagster-token-of-the-stack", SecretString="t0ken")
        dagster = GraphQL((200, state()), (200, LAUNCHED))
        url = aws("s3").meta.endpoint_url
        given = {
            "BTC_LANDING": outputs["LandingPrefix"],
            "BTC_BINANCE_URL": exchange.url,
            "DAGSTER_URL": dagster.url,
            "DAGSTER_TOKEN_SECRET": "dagster-token-of-the-stack",
            "AWS_ENDPOINT_URL": url,
        }
        function = Function("lambda_image.handler.handler", given)
        try:
            outcome = function.invoke(event)
        finally:
            function.close()
            dagster.close()
        assert outcome.error is None, outcome.message
        bucket = outputs["LandingPrefix"].split("/")[2]
        (item,) = aws("s3").list_objects_v2(Bucket=bucket)["Contents"]
        assert item["Key"].startswith("landing/BTCUSDT/2018-02-28/0001-")
        assert dagster.headers[0]["Authorization"] == "Bearer t0ken"
        assert "LaunchDay" in dagster.asked[1]["query"]
