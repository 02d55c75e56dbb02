"""`raw_klines` has the Lambda land what is missing: real Pipes client, boto3, real handler and runtime."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from exchange import Exchange
from lambda_runtime import Function, InvokeApi

from btc_assets.contracts import RAW_KLINES
from btc_assets.defs.automation.landing_sensor import newest_available_day
from btc_assets.defs.landing_function import missing_days
from btc_assets.defs.partitions import Window
from btc_assets.factory import open_tables
from btc_assets.launch import RunFailed, open_instance, run_window
from btc_assets.market.calendar import DAY
from btc_assets.market.sources.landing import LandingZone
from btc_assets.settings import load
from btc_assets.vocabulary import HISTORY_JOB

D = dt.date(2018, 2, 28)
"""The newest closed day of the exchange."""


@pytest.fixture
def function(exchange: Exchange, tmp_path: Path) -> Iterator[Function]:
    given = {"BTC_LANDING": str(tmp_path / "zone"), "BTC_BINANCE_URL": exchange.url}
    function = Function("lambda_image.handler.handler", given)
    yield function
    function.close()


@pytest.fixture
def instance(
    function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """A Dagster whose candles ``function`` lands, called ingest at an Invoke API on loopback."""
    api = InvokeApi(ingest=function)
    (tmp_path / "zone").mkdir()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_LAMBDA": api.url,
        "BTC_SOURCE": "landing",
        "BTC_LANDING": str(tmp_path / "zone"),
        "BTC_LANDING_FUNCTION": "ingest",
        "BTC_DATA_DIR": str(tmp_path / "data"),
        "BTC_CACHE_DIR": str(tmp_path / "cache"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }.items():
        monkeypatch.setenv(name, value)
    with open_instance(load()) as instance:
        yield instance
    api.close()


def run(instance: dg.DagsterInstance, first: dt.date, last: dt.date) -> dict[str, Any]:
    """Materialise candles; what the newest of them says."""
    run_window(instance, HISTORY_JOB, Window(first, last + DAY), ["raw_klines"])
    found = instance.get_latest_materialization_event(dg.AssetKey("raw_klines"))
    assert found is not None
    assert found.asset_materialization is not None
    return {name: value.value for name, value in found.asset_materialization.metadata.items()}


def stored() -> list[dt.date]:
    return sorted(open_tables(load()).read(RAW_KLINES)["date"])


def test_missing_days_are_landed_and_the_run_shows_the_report_and_asks_once(
    instance: dg.DagsterInstance, exchange: Exchange
) -> None:
    first = run(instance, D - 3 * DAY, D - 3 * DAY)["landed by the Lambda"]
    assert [report["landed"] for report in first] == [[f"{D - 3 * DAY}"]]
    (rest,) = run(instance, D - 3 * DAY, D)["landed by the Lambda"]
    assert rest["landed"] == [f"{D - 2 * DAY}", f"{D - DAY}", f"{D}"]
    assert rest["run"] is None
    assert stored() == [D - n * DAY for n in (3, 2, 1, 0)]
    asked = len(exchange.requests)
    assert "landed by the Lambda" not in run(instance, D, D)
    assert len(exchange.requests) == asked
    assert newest_available_day(D + DAY) == D + DAY  # it need not be landed to be asked for


def test_a_day_that_cannot_be_landed_fails_the_run_with_the_reason(instance: dg.DagsterInstance) -> None:
    with pytest.raises(RunFailed, match="expected shortly after 2018-03-02 00:00 UTC"):
        run(instance, D + DAY, D + DAY)


@pytest.mark.parametrize(
    ("name", "said"),
    [("another", "the Lambda another could not be invoked for 2018-02-28"), ("", "no closed BTC")],
)
def test_a_function_that_is_not_there_is_named_and_without_one_nobody_is_asked(
    instance: dg.DagsterInstance, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv("BTC_LANDING_FUNCTION", name)
    with pytest.raises(RunFailed, match=said):
        run(instance, D, D)
    assert exchange.requests == []
    assert os.environ["BTC_LANDING_FUNCTION"] == name


def test_only_days_since_the_zone_began_are_asked_for(tmp_path: Path, exchange: Exchange) -> None:
    from btc_assets.market.sources.binance import Binance

    zone = LandingZone(str(tmp_path))
    assert missing_days(zone, "BTCUSDT", Window(D - 9 * DAY, D + DAY)) == [D]
    for kline in Binance(exchange.url).klines("BTCUSDT", D - 5 * DAY, D - 4 * DAY):
        zone.put(kline)
    assert missing_days(zone, "BTCUSDT", Window(D - 9 * DAY, D + DAY)) == [
        D - n * DAY for n in (4, 3, 2, 1, 0)
    ]
