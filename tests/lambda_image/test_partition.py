"""The function that runs a whole day: run by the real runtime client, on S3 and on a folder."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster_webserver import ask, dagster_webserver
from exchange import Exchange, hang
from fake_dagster import GraphQL, state
from graph_environment import GraphEnvironment, point_settings_at
from lambda_runtime import Function
from partition_stage import Stage, event_of, listed_exchange, make_store, newest_day, succeeded, upload
from s3_server import CREDENTIALS, s3_server
from timeless_tables import require_equal, tables_of

from btc_assets.launch import open_instance
from btc_assets.market.calendar import DAY, days
from btc_assets.settings import load
from btc_assets.vocabulary import DAILY_ASSETS
from lambda_image.config import DagsterAccess
from lambda_image.launch import connect
from lambda_image.partition.catch_up import Store, load_candles_before, newest_first

BEHIND = 2
"""Days before the newest closed one that the store's record ends; more, and it would not be kept up."""


@pytest.fixture(scope="module")
def day() -> dt.date:
    return newest_day()


@pytest.fixture(scope="module")
def market(day: dt.date) -> Iterator[Exchange]:
    exchange = listed_exchange(day)
    yield exchange
    exchange.stop()


@pytest.fixture(scope="module")
def made(day: dt.date, market: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "data"
    make_store(folder, market, day, BEHIND)
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    made: Path, day: dt.date, market: Exchange, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pl.DataFrame]:
    """Every table once the days since were run as `btc up` and its Dagster run them."""
    folder = tmp_path_factory.mktemp("undisturbed") / "data"
    shutil.copytree(made, folder)
    with pytest.MonkeyPatch.context() as patch:
        settings = point_settings_at(patch, market, folder)
        with open_instance(settings) as instance:
            graph = GraphEnvironment(market, settings, instance)
            for n in range(BEHIND - 1, -1, -1):
                graph.run("daily_partition", day - n * DAY, day - n * DAY)
        return tables_of(settings)


@pytest.fixture
def stage(made: Path, market: Exchange, tmp_path: Path) -> Iterator[Stage]:
    shutil.copytree(made, tmp_path / "data")
    stage = Stage(market, tmp_path / "data")
    yield stage
    stage.close()
    market.behave()


def settings_of(stage: Stage, **more: str) -> Any:
    given = {
        "BTC_BINANCE_URL": stage.exchange.url,
        "BTC_DATA_DIR": str(stage.folder),
        "BTC_CACHE_DIR": str(stage.folder / "cache"),
    }
    return load(given | more)


@pytest.mark.faults
def test_on_s3_two_at_once_and_a_third_give_the_bytes_of_ordinary_runs(
    made: Path,
    stage: Stage,
    day: dt.date,
    undisturbed: dict[str, pl.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as endpoint:
        upload(made, endpoint, "store")
        stage.environ = CREDENTIALS | {"BTC_DATA_DIR": "s3://store/data", "BTC_S3_ENDPOINT": endpoint}
        both = [stage.function(), stage.function()]
        with ThreadPoolExecutor() as pool:
            at_once = list(pool.map(lambda function: function.invoke(event_of(day)), both))
        assert any(outcome.error is None for outcome in at_once), at_once
        again = [succeeded(function.invoke(event_of(day))) for function in both]
        assert again[-1] == {"day": f"{day}", "run": [], "left": [], "reported": 0}
        late = succeeded(both[0].invoke(event_of(day - DAY)))
        assert late["run"] == []
        require_equal(tables_of(settings_of(stage, **stage.environ)), undisturbed)


@pytest.mark.faults
def test_what_is_missing_is_run_newest_first_within_the_time_and_said(stage: Stage, day: dt.date) -> None:
    function = stage.function(timeout=300.0)
    short = succeeded(function.invoke(event_of(day)))
    assert short["run"] == [f"{day}"]
    assert short["left"] == [f"{day - DAY}"]
    assert f"left for the next call: 1 days from {day - DAY}" in "".join(function.output)
    function.timeout = 880.0
    rest = succeeded(function.invoke(event_of(day)))
    assert (rest["run"], rest["left"]) == ([f"{day - DAY}"], [])


def test_older_days_are_run_a_week_at_a_time_newest_first() -> None:
    wanted = {dt.date(2025, 3, 1) + n * DAY for n in range(9)} | {dt.date(2025, 2, 1)}
    found = [(window.start.isoformat(), len(window.days)) for window in newest_first(wanted)]
    assert found == [("2025-03-08", 2), ("2025-03-01", 7), ("2025-02-01", 1)]


def test_with_dagster_down_the_day_is_there_and_the_next_call_reports_it(stage: Stage, day: dt.date) -> None:
    dagster = GraphQL((500, b"bad gateway"))
    try:
        function = stage.function(DAGSTER_URL=dagster.url)
        down = function.invoke(event_of(day))
        assert down.error == "DagsterError"
        assert "is there, but was not reported" in down.message
        known = state(done=[("2017-08-17", f"{day - DAY}")], newest=f"{day}")
        dagster.answers[:] = [(200, known)]
        dagster.asked.clear()
        up = succeeded(function.invoke(event_of(day)))
    finally:
        dagster.close()
    told = [body for body in dagster.asked if "asset_key" in body]
    assert up["run"] == [f"{day}"]
    assert up["reported"] == len(told) > 20
    assert {body["partition"] for body in told if "check_name" not in body} == {f"{day}"}
    assert (told[-1]["asset_key"], "check_name" in told[-1]) == ("forecasts", False)


MAY_BE_EMPTY = ("chance_scores", "arena_forecasts", "raw_implied_volatility")

DAY_IN_DAGSTER = """
query Day($key: AssetKeyInput!, $day: String!) {
  assetOrError(assetKey: $key) { ... on Asset {
    assetMaterializations(partitions: [$day]) { metadataEntries { label __typename
      ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } } }
  } }
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks {
      name executionForLatestMaterialization { status } } } }
  } }
}
"""


@pytest.mark.faults
def test_a_real_dagster_shows_the_day_with_its_figures_and_checks(
    stage: Stage, day: dt.date, tmp_path: Path
) -> None:
    (tmp_path / "dagster").mkdir()
    with dagster_webserver(tmp_path / "dagster") as url:
        done = succeeded(stage.function(DAGSTER_URL=url).invoke(event_of(day)))
        found = {
            asset: ask(url, DAY_IN_DAGSTER, key={"path": [asset]}, day=f"{day}") for asset in DAILY_ASSETS
        }
        unknown = connect(DagsterAccess(url)).state().missing([day - n * DAY for n in range(BEHIND + 1)])
    assert done["run"] == [f"{day}", f"{day - 2 * DAY}", f"{day - DAY}"]  # the first of them was not reported
    assert unknown == []
    for asset, answer in found.items():
        (shown,) = answer["assetOrError"]["assetMaterializations"]
        entries = {entry["label"]: entry for entry in shown["metadataEntries"]}
        assert entries["dagster/partition_row_count"]["intValue"] > 0 or asset in MAY_BE_EMPTY, asset
    checks = {
        f"{asset}.{check['name']}": (check["executionForLatestMaterialization"] or {}).get("status")
        for asset, answer in found.items()
        for check in answer["assetNodeOrError"]["assetChecksOrError"]["checks"]
    }
    assert checks["forecasts.complete"] == checks["mlp_model.verified"] == "SUCCEEDED", checks


@pytest.mark.faults
def test_L2_killed_at_any_step_the_next_call_goes_on(
    stage: Stage, day: dt.date, undisturbed: dict[str, pl.DataFrame]
) -> None:
    """The signs are what a step leaves; after the first the function is held by an exchange that hangs."""
    stage.exchange.spoil_interval("4h", hang, times=20)
    asked = len(stage.exchange.requests)
    signs: dict[str, Callable[[], object]] = {
        "candles": lambda: [r for r in stage.exchange.requests[asked:] if r.params.get("interval") == "4h"],
        **{
            table: written_again(stage.folder, table)
            for table in ("vintages_in_force", "issue_records", "forecasts")
        },
    }
    for step, sign in signs.items():
        function = stage.function()
        with killed_at(function, sign):
            outcome = function.invoke(event_of(day))
        assert outcome.error == "Runtime.ExitError", step
        stage.exchange.behave()
    healed = succeeded(stage.function().invoke(event_of(day)))
    assert healed["left"] == []
    require_equal(tables_of(settings_of(stage)), undisturbed)


def written_again(folder: Path, table: str) -> Callable[[], bool]:
    """Whether the log of ``table`` has grown since the first look."""
    log = folder / "real" / "tables" / table / "_delta_log"
    before = len(list(log.glob("*.json")))
    return lambda: len(list(log.glob("*.json"))) > before


@contextmanager
def killed_at(function: Function, sign: Callable[[], object]) -> Iterator[None]:
    """Kill the function's process as soon as there is a ``sign``."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            if function.pid is not None and sign():
                os.kill(function.pid, signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def test_candles_before_the_day_are_loaded_but_those_that_the_source_does_not_have(
    day: dt.date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, gap = day - 450 * DAY, day - 30 * DAY
    exchange = Exchange(clock=dt.datetime.now(dt.UTC))
    exchange.list_market(first, day + DAY)
    del exchange.rows[gap]
    exchange.start()
    settings = point_settings_at(monkeypatch, exchange, tmp_path)
    with open_instance(settings) as instance:
        GraphEnvironment(exchange, settings, instance).run("market_history", first, day - 20 * DAY)
    try:
        with dg.DagsterInstance.ephemeral() as passing:
            store = Store(settings, lambda: 900.0, passing)
            load_candles_before(store, store.tables(day), day)
            loaded = store.tables(day)["raw_klines"].present
            assert loaded == frozenset(days(first, day)) - {gap}
            before = store.instance.get_runs_count()
            load_candles_before(store, store.tables(day), day)
            assert store.instance.get_runs_count() == before
    finally:
        exchange.stop()


@pytest.mark.parametrize("event", [{}, {"source": "aws.s3"}, {"day": "tomorrow"}])
def test_L4_garbage_fails_and_touches_nothing(stage: Stage, event: Any) -> None:
    before = len(stage.exchange.requests)
    assert stage.function().invoke(event).error == "EventError"
    assert len(stage.exchange.requests) == before
