"""What the exchange and the host do wrong, seen from the daily run: nothing is lost, the next run heals."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import dagster as dg
import exchange as faults
import pytest
import time_machine
from exchange import Fault
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import FORECASTS, RAW_KLINES, VINTAGES_IN_FORCE
from btc_assets.definitions import defs
from btc_assets.defs.automation.catch_up_sensor import catch_up
from btc_assets.defs.resources import Platform
from btc_assets.launch import RunFailed
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.modeling.features import ENGINEERED_FEATURES

pytestmark = pytest.mark.faults

NEXT = LAST + DAY

FAULTS: dict[str, Fault] = {
    "dropped": faults.reset,
    "silent": faults.hang,
    "a byte at a time": faults.drip(0.01),
    "truncated": faults.truncated,
    "limited": faults.status(429),
    "banned": faults.status(418, headers={"Retry-After": "300"}),
    "geo-blocked": faults.status(451),
    "firewall": faults.html(403),
    "not an error of Binance": faults.status(400, [1, 2]),
    "broken": faults.status(503),
    "a page": faults.html(200),
    "an object": faults.status(200, {}),
    "an empty list": faults.status(200, []),
    "a redirect": faults.redirect("http://127.0.0.1:9/"),
    "NaN": faults.status(200, b"[[NaN]]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_S1_S2_S3_S4_S5_S6_S7_S8_S9_S10_S11_S12_S13_S15_a_failing_exchange_changes_no_table(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("BTC_SOURCE_DEADLINE", "1")
    before = {spec: graph.version(spec) for spec in (RAW_KLINES, ENGINEERED_FEATURES)}
    graph.exchange.spoil(FAULTS[fault], times=1000)
    with pytest.raises(RunFailed):
        graph.run("daily_partition", NEXT, NEXT)
    assert {spec: graph.version(spec) for spec in before} == before
    assert graph.table(RAW_KLINES)["date"].max() == LAST


def test_S14_a_symbol_the_exchange_does_not_know_is_a_configuration_error(
    graph: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BTC_SYMBOL", "NOSUCHPAIR")
    asked = len(graph.exchange.asked())
    with pytest.raises(RunFailed, match="BTC_SYMBOL"):
        graph.run("market_history", NEXT, NEXT)
    assert len(graph.exchange.asked()) == asked, "another pair: refused before anybody is asked"


def test_S12_a_day_that_is_there_survives_an_empty_answer(graph: GraphEnvironment) -> None:
    before = graph.table(RAW_KLINES)
    graph.exchange.spoil(faults.status(200, []), times=1000, path="/api/v3/klines")
    with pytest.raises(RunFailed, match="yet"):
        graph.run("market_history", LAST, LAST)
    assert graph.table(RAW_KLINES).equals(before)


def test_C2_L5_after_an_outage_the_sensor_runs_what_failed_and_what_was_missed(
    empty: GraphEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange was down on one day, the host on the two after it; nobody does anything about it."""
    monkeypatch.setenv("BTC_SOURCE_DEADLINE", "1")
    first = FIRST_DAY + 30 * DAY
    days = [first + n * DAY for n in range(4)]

    def at(day: dt.date) -> time_machine.travel:
        empty.exchange.clock = dt.datetime.combine(day + DAY, dt.time(0, 30), dt.UTC)
        return time_machine.travel(empty.exchange.clock, tick=True)

    with at(days[0]):
        empty.run("market_history", FIRST_DAY, days[0])
    empty.exchange.spoil(faults.status(503), times=1000)
    with at(days[1]), pytest.raises(RunFailed, match="503"):
        empty.run("daily_partition", days[1], days[1])
    empty.exchange.behave()
    platform = {"platform": Platform()}
    with at(days[3]):
        result = catch_up(
            dg.build_sensor_context(instance=empty.instance, definitions=defs, resources=platform)
        )
        assert isinstance(result, dg.SensorResult)
        (request,) = result.run_requests or []
        start, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
        assert (start, last) == (f"{days[1]}", f"{days[3]}")
        assets = [key.to_user_string() for key in request.asset_selection or []]
        empty.run("daily_partition", dt.date.fromisoformat(start), dt.date.fromisoformat(last), assets)
        again = catch_up(
            dg.build_sensor_context(instance=empty.instance, definitions=defs, resources=platform)
        )
    assert isinstance(again, dg.SkipReason)
    assert empty.table(RAW_KLINES)["date"].to_list()[-4:] == days


RUN = """
import datetime as dt, sys
from btc_assets.launch import open_instance, run_window
from btc_assets.defs.partitions import Window
from btc_assets.settings import load
with open_instance(load()) as instance:
    first, last = map(dt.date.fromisoformat, sys.argv[2:])
    run_window(instance, sys.argv[1], Window(first, last + dt.timedelta(days=1)))
"""


def start(job: str, first: object, last: object, **environment: str) -> subprocess.Popen[str]:
    """The launch path of the command line, in a process of its own."""
    command = [sys.executable, "-c", RUN, job, str(first), str(last)]
    return subprocess.Popen(
        command, env=os.environ | environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def finish(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=280)
        assert process.returncode == 0, errors[-3000:]


TABLES = (RAW_KLINES, ENGINEERED_FEATURES, VINTAGES_IN_FORCE, FORECASTS)
WHEN = {"ingested_at", "issued_at"}


def contents(graph: GraphEnvironment) -> list[str]:
    return [graph.table(spec).drop(WHEN & set(spec.schema.names())).write_csv() for spec in TABLES]


def test_C1_a_backfill_and_the_daily_run_at_once_give_what_one_run_gives(graph: GraphEnvironment) -> None:
    """Two processes over overlapping days; then everything is put back and done by one."""
    from btc_assets.factory import open_tables

    days = [LAST + n * DAY for n in range(1, 5)]
    graph.register(days[0], days[-1])
    finish(start("daily_partition", days[0], days[-1]), start("daily_partition", days[-1], days[-1]))
    raced = contents(graph)
    assert graph.table(FORECASTS)["origin_date"].unique().to_list() == days
    tables = open_tables(graph.settings)
    for spec in (FORECASTS, VINTAGES_IN_FORCE):
        tables.delete_keys(spec, graph.table(spec).select(spec.key))
    graph.run("daily_partition", days[0], days[-1])
    assert contents(graph) == raced


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Apia"])
def test_C6_another_time_zone_and_the_day_the_clocks_change_give_the_same_bytes(
    graph: GraphEnvironment, zone: str
) -> None:
    """2019-11-03 has 25 hours in New York; on 2019-12-31 it is tomorrow already in Apia."""
    from btc_assets.factory import open_tables

    days = (LAST - 59 * DAY, LAST - 57 * DAY)
    assert (days[0] - FIRST_DAY).days > 700
    graph.register(*days)
    graph.run("walk_forward", *days)
    here = contents(graph)
    tables = open_tables(graph.settings)
    for spec in (FORECASTS, VINTAGES_IN_FORCE):
        tables.delete_keys(spec, graph.table(spec).select(spec.key))
    finish(start("walk_forward", *days, TZ=zone))
    assert contents(graph) == here
