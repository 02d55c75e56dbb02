"""Launching the Lambda from Dagster: the real Pipes client, the real runtime client, boto3 between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from exchange import Exchange
from lambda_runtime import Function, InvokeApi

from btc_assets.defs.automation.lambda_op import land_with_lambda


@pytest.fixture
def api(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InvokeApi]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    given = {"BTC_LANDING": str(tmp_path), "BTC_BINANCE_URL": exchange.url}
    function = Function("lambda_image.handler.handler", given)
    api = InvokeApi(ingest=function)
    yield api
    api.close()
    function.close()


def launch(api: InvokeApi, day: str) -> dg.ExecuteInProcessResult:
    call = {"day": day, "function_name": "ingest", "endpoint_url": api.url}
    with dg.DagsterInstance.ephemeral() as instance:
        return land_with_lambda.execute_in_process(
            run_config={"ops": {"invoke_ingest_lambda": {"config": call}}}, instance=instance
        )


def test_a_person_lands_days_and_sees_what_was_found_cold_and_warm(api: InvokeApi) -> None:
    cold = launch(api, "2018-02-20").output_for_node("invoke_ingest_lambda")
    warm = launch(api, "2018-02-21").output_for_node("invoke_ingest_lambda")
    assert (cold["landed"], cold["run"]) == (["2018-02-20"], None)
    assert (warm["landed"], warm["run"]) == (["2018-02-21"], None)


def test_a_day_that_cannot_be_landed_fails_the_run(api: InvokeApi) -> None:
    with pytest.raises(Exception, match="NoDataYet"):
        launch(api, "2019-01-01")
