"""IAM policies grant what is used and no more: in the template, and in deploy/iam."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
POLICIES = sorted((ROOT / "deploy" / "iam").glob("*.json"))
TEMPLATES = (ROOT / "lambda_image" / "template.yaml", ROOT / "lambda_image" / "partition" / "template.yaml")

NO_RESOURCE = {
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ec2:DescribeNetworkInterfaces",
    "secretsmanager:ListSecrets",
}
"""Actions that AWS lets nobody limit to a resource."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in POLICIES:
        yield path.name, json.loads(path.read_text())
    for path in TEMPLATES:
        for name, resource in yaml_parse(path.read_text())["Resources"].items():
            properties = resource.get("Properties", {})
            alone = [properties] if resource["Type"] == "AWS::IAM::RolePolicy" else []
            for policy in [*properties.get("Policies", []), *alone]:
                yield f"{path.parent.name}-{name}", policy["PolicyDocument"]


def grants() -> list[Any]:
    return [
        pytest.param(statement, id=f"{name}-{statement.get('Sid', number)}")
        for name, document in documents()
        for number, statement in enumerate(document["Statement"])
        if statement["Effect"] == "Allow"
    ]


@pytest.mark.parametrize("statement", grants())
def test_no_policy_grants_a_wildcard_that_can_be_avoided(statement: dict[str, Any]) -> None:
    actions = set(listed(statement["Action"]))
    assert not any("*" in action for action in actions)
    assert "NotAction" not in statement
    assert "NotResource" not in statement
    for resource in listed(statement["Resource"]):
        if resource == "*":
            assert actions <= NO_RESOURCE
        elif isinstance(resource, str):
            assert not re.search(r"\*.*/", resource), "a wildcard before the last part of an address"


def test_only_the_roles_of_the_tasks_may_be_handed_over() -> None:
    passes = [s for _, d in documents() for s in d["Statement"] if "iam:PassRole" in listed(s["Action"])]
    assert len(passes) == 1
    assert all("role/" in resource and "*" not in resource for resource in passes[0]["Resource"])
    assert passes[0]["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_the_page_may_only_read_and_nobody_may_delete_data() -> None:
    page = json.loads((ROOT / "deploy/iam/dash-task.json").read_text())["Statement"]
    assert {a for s in page for a in s["Action"]} == {"s3:GetObject", "s3:ListBucket"}
    for _, document in documents():
        for statement in document["Statement"]:
            if "s3:DeleteObject" in listed(statement["Action"]):
                assert all("dagster-logs/" in str(resource) for resource in listed(statement["Resource"]))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
def test_no_bucket_takes_a_request_without_tls(path: Path) -> None:
    resources = yaml_parse(path.read_text())["Resources"].values()
    policies = [each for each in resources if each["Type"] == "AWS::S3::BucketPolicy"]
    assert len(policies) == len([each for each in resources if each["Type"] == "AWS::S3::Bucket"])
    for policy in policies:
        (deny,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
