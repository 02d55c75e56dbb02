"""The source `binance` against an exchange that misbehaves (faults S1 to S15, D1, D2, D4, C5)."""

from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import exchange as faults
import pytest
from exchange import Exchange

from btc_assets.errors import (
    BadCandle,
    ConfigurationError,
    SourceBanned,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from btc_assets.market.calendar import FOUR_HOURS, opens_at
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.binance import Binance

FIRST, LAST = dt.date(2017, 8, 17), dt.date(2018, 2, 28)
DAY = dt.timedelta(days=1)
QUICK = RetryPolicy(deadline=30.0, first_wait=0.001, longest_wait=0.01)
IMPATIENT = RetryPolicy(deadline=0.15, connect=0.1, read=0.1, first_wait=0.01, longest_wait=0.01)


@pytest.fixture
def source(exchange: Exchange) -> Binance:
    return Binance(exchange.url, retry=QUICK)


def one_day(source: Binance, day: dt.date = LAST) -> list[dt.date]:
    return [kline.date for kline in source.klines("BTCUSDT", day, day + DAY)]


def test_the_whole_history_takes_a_request_for_every_thousand_days(exchange: Exchange) -> None:
    exchange.clock = dt.datetime(2025, 6, 30, 0, 10, tzinfo=dt.UTC)
    exchange.list_market(FIRST, dt.date(2025, 6, 30))
    klines = Binance(exchange.url, retry=QUICK).klines("BTCUSDT", FIRST, dt.date(2025, 6, 30))
    days = (dt.date(2025, 6, 30) - FIRST).days
    assert [kline.date for kline in klines] == [FIRST + i * DAY for i in range(days)]
    assert len(exchange.asked("/api/v3/klines")) == -(-days // 1000) == 3
    assert len(exchange.asked("/api/v3/time")) == 1
    assert all(request.params["limit"] == "1000" for request in exchange.asked())


def test_4_hour_candles_come_a_thousand_a_request_and_of_closed_days_only(
    exchange: Exchange, source: Binance
) -> None:
    bars = source.klines("BTCUSDT", FIRST, LAST + 2 * DAY, FOUR_HOURS)
    days = (LAST + DAY - FIRST).days
    assert [bar.open_time for bar in bars] == [opens_at(FIRST) + i * FOUR_HOURS.step for i in range(6 * days)]
    assert exchange.clock.date() == LAST + DAY, "and of the day that runs there are bars already"
    asked = exchange.asked()
    assert {request.params["interval"] for request in asked} == {"4h"}
    assert len(asked) == -(-(days + 1) // (1000 // 6))


def test_D4_a_bar_off_the_grid_is_refused(exchange: Exchange, source: Binance) -> None:
    opens = opens_at(LAST) + FOUR_HOURS.step
    exchange.bars[opens][0] += 60_000
    with pytest.raises(BadCandle, match=r"opens at .*04:01.*not on the day's 4h grid"):
        source.klines("BTCUSDT", LAST, LAST + DAY, FOUR_HOURS)


def test_the_time_zone_parameter_is_never_sent(exchange: Exchange, source: Binance) -> None:
    source.klines("BTCUSDT", FIRST, LAST)
    assert set(exchange.asked()[0].params) == {"symbol", "interval", "startTime", "endTime", "limit"}


def test_a_candle_carries_the_exchange_s_numbers(exchange: Exchange, source: Binance) -> None:
    row = exchange.rows[LAST]
    (kline,) = source.klines("BTCUSDT", LAST, LAST + DAY)
    assert (kline.open, kline.high, kline.low, kline.close) == tuple(float(field) for field in row[1:5])
    assert (kline.volume, kline.quote_volume, kline.trades) == (float(row[5]), float(row[7]), row[8])
    assert kline.close_time == dt.datetime(2018, 2, 28, 23, 59, 59, 999000, tzinfo=dt.UTC)
    assert kline.source == "binance"


def test_S1_a_refused_connection_is_retried_within_the_deadline() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        source = Binance(f"http://127.0.0.1:{taken.getsockname()[1]}", retry=IMPATIENT)
        began = time.monotonic()
        with pytest.raises(SourceUnavailable, match="Connection refused"):
            one_day(source)
    assert 0.05 < time.monotonic() - began < 5


def test_S1_a_name_that_does_not_resolve_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match=r"exchange\.invalid"):
        one_day(Binance("http://exchange.invalid", retry=IMPATIENT))


def test_S1_a_dropped_connection_is_retried(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.reset, times=2)
    assert one_day(source) == [LAST]


@pytest.mark.parametrize("fault", [faults.hang, faults.drip(0.01), faults.drip_headers(0.01)])
def test_S2_S3_a_slow_server_cannot_outlast_the_deadline(exchange: Exchange, fault: faults.Fault) -> None:
    exchange.spoil(fault, times=50)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable):
        one_day(Binance(exchange.url, retry=IMPATIENT))
    assert time.monotonic() - began < 5


def test_S2_a_server_that_hangs_once_is_asked_again(exchange: Exchange) -> None:
    exchange.spoil(faults.hang)
    assert one_day(Binance(exchange.url, retry=RetryPolicy(read=0.2, first_wait=0.001))) == [LAST]


def test_S4_a_truncated_body_is_retried(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.truncated, times=2)
    assert one_day(source) == [LAST]
    assert len(exchange.asked()) == 3


def test_S5_a_limit_is_waited_out_without_a_call(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.status(429, headers={"Retry-After": "1"}))
    impatient = Binance(exchange.url, retry=RetryPolicy(deadline=0.5))
    with pytest.raises(SourceUnavailable, match=r"no call is made before .* UTC \(429\)"):
        one_day(impatient)
    with pytest.raises(SourceUnavailable, match="429"):
        one_day(impatient)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1e9", "nan", "0x10", "²"])
def test_S5_without_a_sensible_retry_after_the_wait_is_our_own(
    exchange: Exchange, header: str | None
) -> None:
    headers = {} if header is None else {"Retry-After": header.encode().decode("latin-1")}
    exchange.spoil(faults.status(429, headers=headers))
    source = Binance(exchange.url, retry=RetryPolicy(limit_wait=0.05))
    began = time.monotonic()
    assert one_day(source) == [LAST]
    assert time.monotonic() - began >= 0.05
    assert len(exchange.asked()) == 2


def test_S5_a_huge_retry_after_is_capped(exchange: Exchange, tmp_path: Path) -> None:
    exchange.spoil(faults.status(429, headers={"Retry-After": "999999999"}))
    source = Binance(exchange.url, retry=QUICK, hold_file=tmp_path / "hold.json")
    with pytest.raises(SourceUnavailable, match="429"):
        one_day(source)
    until = json.loads((tmp_path / "hold.json").read_text())["until"]
    assert until <= time.time() + 3600


def test_S6_a_ban_stops_this_process_and_the_next(exchange: Exchange, tmp_path: Path) -> None:
    exchange.spoil(faults.status(418, headers={"Retry-After": "300"}))
    hold_file = tmp_path / "cache" / "hold.json"
    with pytest.raises(SourceBanned, match="banned this address until") as caught:
        one_day(Binance(exchange.url, retry=QUICK, hold_file=hold_file))
    wait = caught.value.until - dt.datetime.now(dt.UTC)
    assert dt.timedelta(seconds=290) < wait <= dt.timedelta(seconds=300)
    code = (
        "import datetime as dt, pathlib, sys\n"
        "from btc_assets.errors import SourceBanned\n"
        "from btc_assets.market.sources.binance import Binance\n"
        "source = Binance(sys.argv[1], hold_file=pathlib.Path(sys.argv[2]))\n"
        "try: source.klines('BTCUSDT', dt.date(2018, 2, 1), dt.date(2018, 2, 2))\n"
        "except SourceBanned: print('still banned')\n"
    )
    command = [sys.executable, "-c", code, exchange.url, str(hold_file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "still banned\n"
    assert len(exchange.requests) == 1


def test_S6_a_limit_of_another_thread_does_not_shorten_a_ban(exchange: Exchange, tmp_path: Path) -> None:
    hold_file = tmp_path / "hold.json"
    source = Binance(exchange.url, retry=RetryPolicy(limit_wait=600), hold_file=hold_file)
    exchange.spoil(faults.status(429))
    with pytest.raises(SourceUnavailable):
        one_day(source)
    hold_file.write_text(json.dumps({"until": time.time() + 300, "status": 418}))
    with pytest.raises(SourceBanned):
        one_day(source)


def test_S6_a_ban_that_is_over_is_forgotten(exchange: Exchange, tmp_path: Path) -> None:
    hold_file = tmp_path / "hold.json"
    hold_file.write_text(json.dumps({"until": time.time() - 1, "status": 418}))
    assert one_day(Binance(exchange.url, retry=QUICK, hold_file=hold_file)) == [LAST]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"until": 1e300, "status": 418}', '{"until": "x"}', "null"])
def test_S6_a_damaged_or_impossible_ban_file_locks_nobody_out(
    exchange: Exchange, tmp_path: Path, body: str
) -> None:
    hold_file = tmp_path / "hold.json"
    hold_file.write_text(body)
    assert one_day(Binance(exchange.url, retry=QUICK, hold_file=hold_file)) == [LAST]


def test_S7_a_geo_block_is_final_and_says_what_helps(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.html(451), times=5)
    with pytest.raises(SourceRefused, match=r"data-api\.binance\.vision.*BTC_SOURCE=archive"):
        one_day(source)
    assert len(exchange.requests) == 1


def test_S8_a_firewall_page_is_a_typed_error(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.html(403), times=5)
    with pytest.raises(SourceRefused, match="firewall"):
        one_day(source)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize("body", [{"msg": "no code"}, [], None, "text", 7, b"", {"code": None, "msg": {}}])
def test_S9_a_4xx_of_any_shape_is_a_typed_error(exchange: Exchange, source: Binance, body: object) -> None:
    exchange.spoil(faults.status(400, b"null" if body is None else body), times=5)
    with pytest.raises(SourceRefused, match="400"):
        one_day(source)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize("code", [500, 502, 503, 504, 520])
def test_S10_a_server_error_is_retried_then_typed(exchange: Exchange, source: Binance, code: int) -> None:
    exchange.spoil(faults.html(code), times=2)
    assert one_day(source) == [LAST]
    exchange.spoil(faults.html(code), times=10_000)
    with pytest.raises(SourceUnavailable, match=f"the server failed \\({code}\\)"):
        one_day(Binance(exchange.url, retry=RetryPolicy(deadline=0.5, first_wait=0.1)))


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -1008])
def test_S10_a_passing_error_code_is_retried(exchange: Exchange, source: Binance, code: int) -> None:
    exchange.spoil(faults.status(400, {"code": code, "msg": "busy"}), times=2)
    assert one_day(source) == [LAST]


@pytest.mark.parametrize("fault", [faults.html(200), faults.status(200, b""), faults.status(200, {"a": 1})])
def test_S11_a_200_that_is_no_list_is_refused(
    exchange: Exchange, source: Binance, fault: faults.Fault
) -> None:
    exchange.spoil(fault)
    with pytest.raises(BadCandle, match="expected a list of candles"):
        one_day(source)
    assert len(exchange.requests) == 1


def test_S12_an_empty_list_is_no_candle(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.status(200, []))
    assert one_day(source) == []


def test_S13_a_redirect_is_refused_and_not_followed(exchange: Exchange, source: Binance) -> None:
    elsewhere = Exchange().start()
    exchange.spoil(faults.redirect(elsewhere.url))
    with pytest.raises(SourceRefused, match=f"redirects to {elsewhere.url}"):
        one_day(source)
    elsewhere.stop()
    assert elsewhere.requests == []


def test_S14_a_bad_symbol_costs_one_call(exchange: Exchange, source: Binance) -> None:
    with pytest.raises(ConfigurationError, match="BTC_SYMBOL: Invalid symbol"):
        source.klines("BTCUSDX", LAST, LAST + DAY)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, "1" + "0" * 30, '"NaN"', '"1e5"', "true", "null"],
)
def test_S15_an_impossible_number_is_refused(exchange: Exchange, source: Binance, text: str) -> None:
    row = json.dumps(exchange.rows[LAST])
    body = f"[{row.replace(json.dumps(exchange.rows[LAST][4]), text)}]"
    exchange.spoil(faults.status(200, body.encode()))
    with pytest.raises(BadCandle):
        one_day(source)
    assert len(exchange.asked()) == 1


def test_S15_a_body_without_end_is_refused(exchange: Exchange) -> None:
    exchange.spoil(faults.endless)
    with pytest.raises(SourceRefused, match="longer than 8 MiB"):
        one_day(Binance(exchange.url, retry=RetryPolicy(deadline=10)))


def test_D1_the_running_candle_is_never_returned(exchange: Exchange, source: Binance) -> None:
    exchange.clock = dt.datetime(2018, 2, 28, 23, 59, 59, tzinfo=dt.UTC)
    assert one_day(source) == []
    assert source.klines("BTCUSDT", LAST - DAY, LAST + 5 * DAY)[-1].date == LAST - DAY


def test_D2_a_candle_closed_seconds_ago_is_not_final_yet(exchange: Exchange, source: Binance) -> None:
    exchange.clock = dt.datetime(2018, 3, 1, 0, 0, 5, tzinfo=dt.UTC)
    assert one_day(source) == []
    exchange.clock = dt.datetime(2018, 3, 1, 0, 0, 31, tzinfo=dt.UTC)
    assert one_day(source) == [LAST]


def test_D2_C5_the_server_s_clock_decides_though_ours_is_years_ahead(
    exchange: Exchange, source: Binance
) -> None:
    exchange.clock = dt.datetime(2018, 2, 20, 12, tzinfo=dt.UTC)
    days = [kline.date for kline in source.klines("BTCUSDT", FIRST, LAST)]
    assert days[-1] == dt.date(2018, 2, 19)
    assert source.now() == exchange.clock


@pytest.mark.parametrize("stamp", [0, -1, True, "1519862400000", None, 10**18, 10**13 - 1, 1.5])
def test_C5_a_clock_that_cannot_be_true_is_refused(
    exchange: Exchange, source: Binance, stamp: object
) -> None:
    exchange.spoil(faults.status(200, {"serverTime": stamp}), path="/api/v3/time")
    with pytest.raises(BadCandle, match="server's time"):
        one_day(source)


def test_C7_a_future_day_and_one_before_listing_are_absent(exchange: Exchange, source: Binance) -> None:
    assert one_day(source, dt.date(2030, 1, 1)) == []
    assert one_day(source, dt.date(2016, 1, 1)) == []


def test_D4_a_candle_of_another_day_is_refused(exchange: Exchange, source: Binance) -> None:
    exchange.spoil(faults.rows_of([exchange.rows[LAST - DAY]]))
    with pytest.raises(BadCandle, match=f"asked for {LAST}"):
        one_day(source)


def test_D5_duplicates_are_one_row_if_equal_and_refused_if_not(exchange: Exchange, source: Binance) -> None:
    row = exchange.rows[LAST]
    exchange.spoil(faults.rows_of([row, row]))
    assert one_day(source) == [LAST]
    exchange.spoil(faults.rows_of([row, [*row[:8], row[8] + 1, *row[9:]]]))
    with pytest.raises(BadCandle, match="two different candles"):
        one_day(source)


def test_every_failure_is_one_of_ours(exchange: Exchange, source: Binance) -> None:
    for fault in (faults.html(404), faults.html(401), faults.html(301), faults.status(204, b"")):
        exchange.spoil(fault)
        with pytest.raises(SourceError):
            one_day(source)


def test_importing_the_source_imports_no_http_library() -> None:
    code = (
        "import sys, btc_assets.market.sources.binance, btc_assets.market.sources.factory\n"
        "print([name for name in ('requests', 'binance', 'stamina', 'pydantic', 'polars', 'numpy', 'boto3')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
