"""raw_implied_volatility through the real job, a real source on loopback and a real store."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator

import dagster as dg
import exchange as faults
import polars as pl
import pytest
from deribit_server import METHOD, DeribitServer, last_hour, value_of
from graph_environment import LAST, GraphEnvironment

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY, SUPERSEDED_IMPLIED_VOLATILITY
from btc_assets.defs.resources import Platform
from btc_assets.errors import ConfigurationError
from btc_assets.factory import open_tables
from btc_assets.health.stores import examine_days
from btc_assets.health.table_days import table_days
from btc_assets.ledger.inputs import WITHOUT_IMPLIED
from btc_assets.ledger.records import read_records
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.implied_volatility import ImpliedVolatility
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.modeling.history import LOG_IMPLIED
from btc_assets.series import IMPLIED
from btc_assets.settings import load
from btc_assets.storage.bitemporal import store_candles, volatility_frame

FIRST = dt.date(2024, 1, 1)
DUE = dt.date(2024, 1, 20)


@pytest.fixture
def deribit() -> Iterator[DeribitServer]:
    server = DeribitServer(clock=closes_at(DUE + 30 * DAY))
    server.list_hours(FIRST, DUE + 30 * DAY)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def off(empty: GraphEnvironment, deribit: DeribitServer, monkeypatch: pytest.MonkeyPatch) -> GraphEnvironment:
    """A market of 2024, and a Deribit that nobody is to ask."""
    empty.exchange.rows.clear()
    empty.exchange.bars.clear()
    empty.exchange.list_market(FIRST, DUE + 30 * DAY)
    monkeypatch.setenv("BTC_DERIBIT_URL", deribit.url)
    monkeypatch.setenv("BTC_SOURCE_DEADLINE", "1")
    return empty


@pytest.fixture
def on(off: GraphEnvironment, monkeypatch: pytest.MonkeyPatch) -> GraphEnvironment:
    """The same, switched on."""
    monkeypatch.setenv("BTC_IMPLIED_VOLATILITY", "deribit")
    return off


def stored(graph: GraphEnvironment) -> dict[dt.date, float]:
    return dict(graph.table(RAW_IMPLIED_VOLATILITY).select("date", "volatility").iter_rows())


def derived(graph: GraphEnvironment) -> dict[dt.date, float | None]:
    return dict(graph.table(ENGINEERED_FEATURES).select("date", LOG_IMPLIED).iter_rows())


def failed_checks(graph: GraphEnvironment) -> set[tuple[str, str]]:
    """The checks of the newest run that did not pass: what they are called, and how bad it is."""
    (run,) = graph.instance.get_runs(limit=1)
    events = graph.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [e.dagster_event.event_specific_data for e in events if e.dagster_event]
    return {(c.check_name, c.severity.value) for c in found if not c.passed}  # type: ignore[union-attr]


def test_it_is_off_and_then_nobody_is_asked_and_nothing_is_red(
    off: GraphEnvironment, deribit: DeribitServer
) -> None:
    off.run("market_history", FIRST, DUE)
    assert deribit.requests == []
    assert stored(off) == {}
    assert set(derived(off).values()) == {None}
    assert failed_checks(off) == set()
    assert off.metadata("raw_implied_volatility", DUE)["source"] == "off"
    (finding,) = [f for f in examine_days(Platform()) if f.name == "days of raw_implied_volatility"]
    assert finding.good
    days = table_days(Platform().tables, "BTCUSDT", DUE)
    assert days["raw_implied_volatility"].missing == []


def test_values_are_stored_and_features_hold_their_logs(on: GraphEnvironment) -> None:
    on.run("market_history", FIRST, DUE)
    assert stored(on) == {FIRST + n * DAY: value_of(FIRST + n * DAY) for n in range((DUE - FIRST).days + 1)}
    assert derived(on)[DUE] == pytest.approx(math.log(value_of(DUE) / 100 / math.sqrt(365)), rel=1e-12)
    assert failed_checks(on) == set()
    said = on.metadata("raw_implied_volatility", DUE)
    assert said["implied volatility (% a year)"] == value_of(DUE)
    assert said["dagster/partition_row_count"] == 1


def test_the_whole_range_and_its_days_one_by_one_give_the_same_rows(on: GraphEnvironment) -> None:
    for day in (FIRST, FIRST + DAY):
        on.run("market_history", day, day)
    singly = [stored(on), derived(on)]
    on.run("market_history", FIRST, FIRST + DAY)
    assert [stored(on), derived(on)] == singly
    assert on.table(SUPERSEDED_IMPLIED_VOLATILITY).is_empty()


@pytest.mark.parametrize(
    "fault",
    [faults.status(503, b""), faults.html()],
    ids=["down", "no JSON"],
)
def test_a_feed_that_fails_holds_up_nothing_and_the_next_day_heals(
    on: GraphEnvironment, deribit: DeribitServer, fault: faults.Fault
) -> None:
    on.run("market_history", FIRST, DUE - DAY)
    deribit.spoil(fault, times=1000)
    on.run("market_history", DUE, DUE)
    assert DUE not in stored(on)
    assert derived(on)[DUE] is None
    assert derived(on)[DUE - DAY] is not None
    assert failed_checks(on) == {("every_day_has_its_value", "WARN")}
    assert "nothing wrong" not in on.metadata("raw_implied_volatility", DUE)["what the source said"]
    deribit.behave()
    on.run("market_history", DUE + DAY, DUE + DAY)
    assert stored(on)[DUE] == value_of(DUE)
    assert derived(on)[DUE] is not None
    assert failed_checks(on) == set()


def test_a_late_value_is_taken_by_the_next_run_and_a_restated_one_becomes_a_version_beside_the_old(
    on: GraphEnvironment, deribit: DeribitServer
) -> None:
    late = deribit.candles.pop(last_hour(DUE))
    on.run("market_history", FIRST, DUE)
    assert failed_checks(on) == {("every_day_has_its_value", "WARN")}
    deribit.candles[last_hour(DUE)] = late
    deribit.set_close(DUE - 2 * DAY, 88.25)
    on.run("market_history", DUE + DAY, DUE + DAY)
    assert stored(on)[DUE] == value_of(DUE)
    assert derived(on)[DUE] is not None
    assert stored(on)[DUE - 2 * DAY] == 88.25
    old = on.table(SUPERSEDED_IMPLIED_VOLATILITY).select("date", "volatility").rows()
    assert old == [(DUE - 2 * DAY, value_of(DUE - 2 * DAY))]
    assert derived(on)[DUE - 2 * DAY] == pytest.approx(math.log(0.8825 / math.sqrt(365)), rel=1e-12)


def test_switched_off_again_what_was_stored_stays_and_new_days_go_without(
    on: GraphEnvironment, deribit: DeribitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    on.run("market_history", FIRST, DUE)
    before, asked = stored(on), len(deribit.asked(METHOD))
    monkeypatch.setenv("BTC_IMPLIED_VOLATILITY", "off")
    on.run("market_history", DUE + DAY, DUE + DAY)
    assert stored(on) == before
    assert len(deribit.asked(METHOD)) == asked
    assert derived(on)[DUE + DAY] is None
    assert failed_checks(on) == set()
    assert table_days(Platform().tables, "BTCUSDT", DUE + DAY)["raw_implied_volatility"].missing == []


def test_the_simulated_market_has_options_too_whose_values_do_not_depend_on_the_range() -> None:
    platform = Platform(overrides={"source": "simulated", "implied_volatility": "simulated"})
    assert platform.volatility_source is not None
    whole = platform.volatility_source.implied_volatility("BTCUSDT", dt.date(2017, 1, 1), DUE + DAY)
    assert whole[0].date == dt.date(2017, 9, 16)
    assert [v.date for v in whole] == [whole[0].date + n * DAY for n in range(len(whole))]
    part = platform.volatility_source.implied_volatility("BTCUSDT", DUE - 3 * DAY, DUE + DAY)
    assert part == whole[-4:]
    assert {v.source for v in whole} == {"simulated"}
    assert 20 < pl.Series([v.volatility for v in whole]).median() < 200  # type: ignore[operator]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "simulated", "implied_volatility": "deribit"}, "real market"),
        ({"source": "binance", "implied_volatility": "simulated"}, "made up"),
        ({"symbol": "SOLUSDT", "implied_volatility": "deribit"}, "BTC and ETH alone, not of SOLUSDT"),
        ({"implied_volatility": "derbit"}, "did you mean deribit"),
    ],
)
def test_values_of_another_market_or_coin_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"BTC_IMPLIED_VOLATILITY.*{said}"):
        load({}, **given)


def test_the_forecast_says_which_days_had_their_value(graph: GraphEnvironment) -> None:
    """Both days are forecast; of the second, the value was not known."""
    days = [LAST - n * DAY for n in range(400, -1, -1)]
    values = [ImpliedVolatility("BTCUSDT", day, value_of(day), "deribit") for day in days[:-1]]
    tables = open_tables(graph.settings)
    store_candles(tables, volatility_frame(values, Platform().now()), Platform().now(), IMPLIED)
    graph.register(LAST - DAY, LAST)
    graph.run("market_history", days[0], LAST, ["engineered_features"])
    graph.run("daily_partition", LAST - DAY, LAST, ["mlp_model", "lstm_model", "forecasts"])
    assert graph.metadata("forecasts", LAST)["origins"] == 2
    assert graph.metadata("forecasts", LAST)["origins with implied volatility"] == 1
    came_from = graph.metadata("forecasts", LAST)["newest forecast came from"]
    assert came_from == f"candles, 4-hour candles of {LAST}; without values of implied volatility"
    notes = {r.origin_date: r.note for r, _ in read_records(tables, "BTCUSDT") if r.kind != "genesis"}
    assert notes == {LAST - DAY: "", LAST: WITHOUT_IMPLIED}
