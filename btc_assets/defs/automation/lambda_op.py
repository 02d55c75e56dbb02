"""Launching the ingestion Lambda by hand from Dagster: lands one day again, and reports what it found."""

import importlib.util
from typing import Any

import dagster as dg

from btc_assets.settings import Settings
from btc_assets.vocabulary import JOB_TAG


class LambdaCall(dg.Config):
    """Which day to land, by which function."""

    day: str
    """The UTC day, e.g. 2025-06-30."""
    function_name: str = "btc-assets-ingest"
    """Name or ARN of the deployed function."""
    endpoint_url: str = ""
    """Address of another Lambda endpoint (VPC, test); empty: AWS."""


@dg.op(description="Invoke the ingestion Lambda for one day and show what it landed.")
def invoke_ingest_lambda(context: dg.OpExecutionContext, config: LambdaCall) -> dict[str, Any]:
    """Land ``config.day`` without launching its run; the landing sensor decides about that."""
    import boto3
    from dagster_aws.pipes import PipesLambdaClient

    client = PipesLambdaClient(boto3.client("lambda", endpoint_url=config.endpoint_url or None))
    done = client.run(
        context=context, function_name=config.function_name, event={"day": config.day, "launch": False}
    )
    messages = done.get_custom_messages()
    if not messages:
        raise dg.Failure("the function answered without a report; see its log in CloudWatch")
    report = dict(messages[-1])
    context.add_output_metadata({"report": dg.MetadataValue.json(report)})
    return report


@dg.job(
    description="Land one day's candle with the deployed Lambda, by hand; the op's config names the day.",
    tags={JOB_TAG: "land_with_lambda"},
)
def land_with_lambda() -> None:
    """Run the op alone."""
    invoke_ingest_lambda()


def lambda_jobs(settings: Settings) -> list[dg.JobDefinition]:
    """Return the job where it can work: candles come from a landing zone, and the AWS clients are there."""
    installed = all(importlib.util.find_spec(name) for name in ("boto3", "dagster_aws"))
    return [land_with_lambda] if settings.source == "landing" and installed else []
