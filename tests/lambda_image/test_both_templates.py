"""What holds of the templates of both Lambdas: lint, schedules, dead letters, roles, alarms, parameters."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from lambda_runtime import ROOT
from sam_template import expand, lint, of_type

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
GRANTED = {
    "lambda:InvokeFunction",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
    "sqs:SendMessage",
}
WATCHED = {"Errors", "ApproximateNumberOfMessagesVisible", "DayMissing", "Invocations"}


@dataclass(frozen=True)
class Expected:
    """A folder of lambda_image, and what its template has beside what both have."""

    folder: str
    image: str
    granted: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


BOTH = [
    Expected(".", "btc-assets-images:ingest-1", watched=frozenset({"Throttles"})),
    Expected(
        "partition",
        "btc-day-images:partition-1",
        frozenset({"s3:PutObjectRetention"}),
        frozenset({"DaysLeft"}),
    ),
]


@pytest.fixture(scope="module", params=BOTH, ids=lambda expected: expected.image)
def expected(request: pytest.FixtureRequest) -> Expected:
    return request.param


@pytest.fixture(scope="module")
def expanded(expected: Expected) -> dict[str, Any]:
    template = ROOT / "lambda_image" / expected.folder / "template.yaml"
    return expand(template, f"{REGISTRY}/{expected.image}")


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> dict[str, Any]:
    return dict(expanded["Resources"])


def test_the_template_is_clean_and_can_be_handed_over_as_it_is(expected: Expected) -> None:
    """CloudFormation takes 51,200 bytes without a bucket."""
    template = ROOT / "lambda_image" / expected.folder / "template.yaml"
    assert lint(template) == (0, "")
    assert len(template.read_bytes()) <= 51_200


def test_both_schedules_fire_in_utc_after_midnight_with_the_scheduled_time(resources: dict[str, Any]) -> None:
    schedules = of_type(resources, "AWS::Scheduler::Schedule")
    assert set(schedules) == {"Schedule", "LastCall"}
    for schedule in schedules.values():
        assert schedule["ScheduleExpressionTimezone"] == "UTC"
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert json.loads(schedule["Target"]["Input"])["time"] == "<aws.scheduler.scheduled-time>"
        assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 10
        assert "DeadLetters" in json.dumps(schedule["Target"]["DeadLetterConfig"])
    assert json.loads(schedules["LastCall"]["Target"]["Input"])["last_call"] is True


def test_what_fails_ends_in_the_dead_letter_queue(resources: dict[str, Any]) -> None:
    (config,) = of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    assert config["MaximumRetryAttempts"] == 2
    assert "DeadLetters" in json.dumps(config["DestinationConfig"]["OnFailure"])
    assert of_type(resources, "AWS::SQS::Queue")["DeadLetters"]["MessageRetentionPeriod"] == 14 * 86400


def test_roles_grant_no_more_than_what_is_used(expected: Expected, resources: dict[str, Any]) -> None:
    roles = of_type(resources, "AWS::IAM::Role").values()
    policies = [policy for role in roles for policy in role["Policies"]]
    policies += of_type(resources, "AWS::IAM::RolePolicy").values()
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    granted: set[str] = set()
    for statement in statements:
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
        assert statement["Resource"] != "*"
    assert granted == GRANTED | expected.granted
    assert not any("ManagedPolicyArns" in role for role in roles)


def test_every_alarm_tells_somebody_of_a_figure_that_there_is(
    expected: Expected, resources: dict[str, Any]
) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    assert {alarm["MetricName"] for alarm in alarms} == WATCHED | expected.watched
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)
    assert '"DayMissing"' in (ROOT / "lambda_image" / "metrics.py").read_text()
    assert '"DaysLeft"' in (ROOT / "lambda_image" / "partition" / "handler.py").read_text()


def test_every_parameter_is_explained(expected: Expected, expanded: dict[str, Any]) -> None:
    assert all(parameter.get("Description") for parameter in expanded["Parameters"].values())
    pattern = expanded["Parameters"]["ImageUri"]["AllowedPattern"]
    assert re.fullmatch(pattern, f"{REGISTRY}/{expected.image}")
    assert not re.fullmatch(pattern, "docker.io/evil:latest")
