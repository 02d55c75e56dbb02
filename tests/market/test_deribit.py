"""Deribit's volatility index through real HTTP on loopback, with made-up values."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import exchange as faults
import pytest
from deribit_server import METHOD, TIME, DeribitServer, candles_of, last_hour, limited, value_of

from btc_assets.errors import BadCandle, SourceRefused, SourceUnavailable
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.deribit import BEGAN, Deribit

FIRST = dt.date(2024, 1, 1)
LAST = dt.date(2024, 4, 30)
QUICK = RetryPolicy(deadline=3.0, first_wait=0.01, longest_wait=0.02)


@pytest.fixture
def server() -> Iterator[DeribitServer]:
    made = DeribitServer(clock=closes_at(LAST) + dt.timedelta(minutes=5))
    made.list_hours(FIRST, LAST + DAY)
    made.start()
    yield made
    made.stop()


def ask(server: DeribitServer, start: dt.date, end: dt.date, symbol: str = "BTCUSDT") -> dict[dt.date, float]:
    found = Deribit(server.url, retry=QUICK).implied_volatility(symbol, start, end)
    assert [value.date for value in found] == sorted({value.date for value in found})
    assert {(value.symbol, value.source) for value in found} <= {(symbol, "deribit")}
    return {value.date: value.volatility for value in found}


def test_the_value_of_a_day_is_the_close_of_its_last_hour(server: DeribitServer) -> None:
    assert ask(server, LAST, LAST + DAY) == {LAST: value_of(LAST)}
    (request,) = server.asked(METHOD)
    assert request.params["resolution"] == "3600"
    assert request.params["currency"] == "BTC"


@pytest.mark.parametrize("page", [1, 7, 24, 1000])
def test_a_long_range_comes_in_pages_and_no_value_is_lost_between_them(
    server: DeribitServer, page: int
) -> None:
    server.page = page
    start = LAST - (2 if page == 1 else 99) * DAY
    days = [start + n * DAY for n in range((LAST - start).days + 1)]
    assert ask(server, start, LAST + DAY) == {day: value_of(day) for day in days}
    assert len(server.asked(METHOD)) == -(-24 * len(days) // page)


def test_a_day_that_is_not_over_by_the_server_s_clock_has_no_value(server: DeribitServer) -> None:
    server.clock = closes_at(LAST) + dt.timedelta(seconds=29)
    assert list(ask(server, LAST - DAY, LAST + 9 * DAY)) == [LAST - DAY]
    server.clock += dt.timedelta(seconds=1)
    assert list(ask(server, LAST - DAY, LAST + 9 * DAY)) == [LAST - DAY, LAST]


def test_a_late_or_lost_last_hour_leaves_the_day_without_a_value(server: DeribitServer) -> None:
    for day in (LAST, LAST - 3 * DAY):
        del server.candles[last_hour(day)]
    assert list(ask(server, LAST - 4 * DAY, LAST + DAY)) == [LAST - n * DAY for n in (4, 2, 1)]
    server.list_hours(LAST, LAST)
    assert ask(server, LAST, LAST + DAY) == {LAST: value_of(LAST)}


def test_a_restated_value_is_given_as_it_is_now(server: DeribitServer) -> None:
    server.set_close(LAST, 99.5)
    assert ask(server, LAST, LAST + DAY) == {LAST: 99.5}


def test_nothing_is_asked_for_days_before_the_index_began(server: DeribitServer) -> None:
    assert ask(server, BEGAN - 900 * DAY, BEGAN) == {}
    assert server.requests == []


def test_the_index_is_that_of_the_pair_s_coin(server: DeribitServer) -> None:
    server.currency = "ETH"
    assert ask(server, LAST, LAST + DAY, "ETHUSDT") == {LAST: value_of(LAST)}
    with pytest.raises(SourceRefused, match=r"refused \(400\): Invalid params \[-32602\]"):
        ask(server, LAST, LAST + DAY)


@pytest.mark.parametrize(
    "fault",
    [
        limited(headers={"Retry-After": "0"}),
        limited(200),
        limited(),
        faults.status(503),
        faults.reset,
        faults.truncated,
    ],
    ids=["429 with Retry-After", "10028 in a 200", "429", "503", "reset", "broken off"],
)
def test_what_can_pass_is_asked_again(server: DeribitServer, fault: faults.Fault) -> None:
    server.spoil(fault, path=METHOD)
    assert ask(server, LAST, LAST + DAY) == {LAST: value_of(LAST)}
    assert len(server.asked(METHOD)) == 2


def test_a_server_that_says_nothing_is_given_up_in_time(server: DeribitServer) -> None:
    server.spoil(faults.hang, times=9)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable):
        Deribit(server.url, retry=RetryPolicy(deadline=0.3)).implied_volatility("BTCUSDT", LAST, LAST + DAY)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.status(403, b""), "BTC_IMPLIED_VOLATILITY=off"),
        (faults.status(451, b""), "BTC_IMPLIED_VOLATILITY=off"),
        (faults.redirect("http://127.0.0.1:1/"), "not followed"),
        (faults.status(200, {"jsonrpc": "2.0", "error": {"code": -32000, "message": "no"}}), "refused"),
    ],
    ids=["403", "451", "redirect", "error in a 200"],
)
def test_what_will_not_pass_says_what_to_do(server: DeribitServer, fault: faults.Fault, said: str) -> None:
    server.spoil(fault, path=METHOD)
    with pytest.raises(SourceRefused, match=said):
        ask(server, LAST, LAST + DAY)


AT = last_hour(LAST)


@pytest.mark.parametrize(
    "page",
    [
        [AT, 50.0, 51.0, 49.0],
        [str(AT), 50.0, 51.0, 49.0, 50.0],
        [AT, 50.0, 51.0, 49.0, None],
        [AT, 50.0, 51.0, 49.0, True],
        [AT, 50.0, 51.0, 49.0, 52.0],
        [AT, 50.0, 51.0, 50.5, 51.0],
        [AT, -50.0, -49.0, -51.0, -50.0],
        [AT, 50.0, 51.0, 49.0, float("nan")],
        [AT, 5e4, 5e4, 5e4, 5e4],
        [AT + 1, 50.0, 51.0, 49.0, 50.0],
        [last_hour(LAST + DAY), 50.0, 51.0, 49.0, 50.0],
        [last_hour(LAST - DAY), 50.0, 51.0, 49.0, 50.0],
        "candle",
    ],
)
def test_a_candle_that_cannot_be_true_is_refused(server: DeribitServer, page: Any) -> None:
    server.spoil(candles_of(page), path=METHOD)
    with pytest.raises(BadCandle):
        ask(server, LAST, LAST + DAY)


def test_two_candles_of_one_hour_must_be_the_same(server: DeribitServer) -> None:
    one, other = [AT, 50.0, 51.0, 49.0, 50.0], [AT, 50.0, 51.0, 49.0, 50.5]
    server.spoil(candles_of(one, one), path=METHOD)
    assert ask(server, LAST, LAST + DAY) == {LAST: 50.0}
    server.spoil(candles_of(one, other), path=METHOD)
    with pytest.raises(BadCandle, match="two different candles"):
        ask(server, LAST, LAST + DAY)


@pytest.mark.parametrize("continuation", [AT + 10**9, "next", 1.5])
def test_pages_that_lead_nowhere_are_refused(server: DeribitServer, continuation: Any) -> None:
    server.spoil(candles_of([AT, 50.0, 51.0, 49.0, 50.0], continuation=continuation), path=METHOD)
    with pytest.raises(BadCandle, match="continues at"):
        ask(server, LAST, LAST + DAY)


@pytest.mark.parametrize("answer", [{"jsonrpc": "2.0", "result": []}, {"jsonrpc": "2.0", "result": {}}, [1]])
def test_an_answer_that_is_no_page_is_refused(server: DeribitServer, answer: Any) -> None:
    server.spoil(faults.status(200, answer), path=METHOD)
    with pytest.raises((BadCandle, SourceRefused)):
        ask(server, LAST, LAST + DAY)


@pytest.mark.parametrize("fault", [faults.html(), faults.status(200, {"result": "noon"})])
def test_a_clock_that_is_none_is_refused(server: DeribitServer, fault: faults.Fault) -> None:
    server.spoil(fault, path=TIME)
    with pytest.raises(BadCandle):
        ask(server, LAST, LAST + DAY)
