"""The template of the Lambda that runs a day: lint, what it expands to, and a stack on an AWS emulator."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from lambda_runtime import ROOT
from s3_server import aws_in_a_thread
from sam_template import expand, lint, of_type

from btc_assets.settings import load

TEMPLATE = ROOT / "lambda_image" / "partition" / "template.yaml"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/btc-day-images:partition-1"


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    return expand(TEMPLATE, IMAGE)


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> dict[str, Any]:
    return dict(expanded["Resources"])


def test_the_template_is_clean_and_can_be_handed_over_as_it_is() -> None:
    assert lint(TEMPLATE) == (0, "")
    assert len(TEMPLATE.read_bytes()) <= 51_200


def test_the_function_has_the_time_the_memory_and_settings_that_exist(resources: dict[str, Any]) -> None:
    (function,) = of_type(resources, "AWS::Lambda::Function").values()
    assert (function["PackageType"], function["Timeout"]) == ("Image", 900)
    assert function["ReservedConcurrentExecutions"] == {"Fn::If": ["Reserves", 1, {"Ref": "AWS::NoValue"}]}
    given = {k: v for k, v in function["Environment"]["Variables"].items() if k.startswith("BTC_")}
    known = {name: value if isinstance(value, str) else "7" for name, value in given.items()}
    samples = {
        "BTC_DATA_DIR": "s3://bucket/data",
        "BTC_LEDGER_SINK": "s3://heads/heads",
        "BTC_SYMBOL": "BTCUSDT",
        "BTC_BINANCE_URL": "https://data-api.binance.vision",
    }
    assert load(known | samples).source == "binance"  # an unknown setting would be refused
    assert "DAGSTER_TOKEN" not in function["Environment"]["Variables"]


def test_both_schedules_hand_over_the_scheduled_time(resources: dict[str, Any]) -> None:
    schedules = of_type(resources, "AWS::Scheduler::Schedule")
    assert set(schedules) == {"Schedule", "LastCall"}
    for schedule in schedules.values():
        assert schedule["ScheduleExpressionTimezone"] == "UTC"
        assert json.loads(schedule["Target"]["Input"])["time"] == "<aws.scheduler.scheduled-time>"
        assert "DeadLetters" in json.dumps(schedule["Target"]["DeadLetterConfig"])
    assert json.loads(schedules["LastCall"]["Target"]["Input"])["last_call"] is True


def test_what_fails_ends_in_the_dead_letter_queue(resources: dict[str, Any]) -> None:
    (config,) = of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    assert config["MaximumRetryAttempts"] == 2
    assert "DeadLetters" in json.dumps(config["DestinationConfig"]["OnFailure"])


def test_roles_grant_no_more_than_what_is_used(resources: dict[str, Any]) -> None:
    roles = of_type(resources, "AWS::IAM::Role").values()
    policies = [policy for role in roles for policy in role["Policies"]]
    policies += of_type(resources, "AWS::IAM::RolePolicy").values()
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    granted: set[str] = set()
    for statement in statements:
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
        assert statement["Resource"] != "*"
    assert granted == {
        "lambda:InvokeFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "s3:PutObjectRetention",
        "secretsmanager:GetSecretValue",
        "sqs:SendMessage",
    }


def test_both_buckets_are_private_versioned_encrypted_and_outlive_the_stack(
    resources: dict[str, Any],
) -> None:
    buckets = {name: r for name, r in resources.items() if r["Type"] == "AWS::S3::Bucket"}
    assert set(buckets) == {"Bucket", "Heads"}
    for bucket in buckets.values():
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
        assert bucket["Properties"]["VersioningConfiguration"]["Status"] == "Enabled"
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert buckets["Heads"]["Properties"]["ObjectLockEnabled"] is True
    guarded = {policy["Bucket"]["Ref"] for policy in of_type(resources, "AWS::S3::BucketPolicy").values()}
    assert guarded == {"Bucket", "Heads"}


def test_every_alarm_tells_somebody_of_a_figure_that_there_is(resources: dict[str, Any]) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    watched = {alarm["MetricName"] for alarm in alarms.values()}
    assert watched == {
        "Errors",
        "ApproximateNumberOfMessagesVisible",
        "DayMissing",
        "DaysLeft",
        "Invocations",
    }
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms.values())
    assert '"DayMissing"' in (ROOT / "lambda_image/metrics.py").read_text()
    assert '"DaysLeft"' in (ROOT / "lambda_image/partition/handler.py").read_text()


def test_every_parameter_is_explained(expanded: dict[str, Any]) -> None:
    assert all(parameter.get("Description") for parameter in expanded["Parameters"].values())
    pattern = expanded["Parameters"]["ImageUri"]["AllowedPattern"]
    assert re.fullmatch(pattern, IMAGE)
    assert not re.fullmatch(pattern, "docker.io/evil:latest")


def test_an_aws_emulator_makes_the_stack(expanded: dict[str, Any]) -> None:
    """It keeps less than AWS does, so the rest is asserted above."""
    import boto3

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
    with aws_in_a_thread() as url:
        cloud = boto3.client("cloudformation", endpoint_url=url, **keys)
        cloud.create_stack(
            StackName="btc-day",
            TemplateBody=json.dumps(expanded),
            Parameters=[{"ParameterKey": "ImageUri", "ParameterValue": IMAGE}],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = cloud.describe_stacks(StackName="btc-day")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert re.fullmatch(r"s3://[a-z0-9.-]+/data", outputs["DataDir"])
    assert re.fullmatch(r"s3://[a-z0-9.-]+/heads", outputs["Sink"])
    assert outputs["FunctionName"] == "btc-day-day"
