"""The template of the Lambda that runs a day: lint, what it expands to, and a stack on an AWS emulator."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from lambda_runtime import ROOT
from s3_server import aws_in_a_thread
from sam_template import expand, of_type

from btc_assets.settings import load

TEMPLATE = ROOT / "lambda_image" / "partition" / "template.yaml"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/btc-day-images:partition-1"


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    return expand(TEMPLATE, IMAGE)


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> dict[str, Any]:
    return dict(expanded["Resources"])


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
