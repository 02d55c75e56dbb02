"""Landing candles from the exchange: missed days, restated days, running out of time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import exchange as faults
import pytest
from exchange import Exchange

from btc_assets.errors import NoDataYet, SourceError
from btc_assets.market.calendar import FOUR_HOURS, opens_at
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.binance import Binance
from btc_assets.market.sources.landing import LandingZone
from lambda_image.ingest import OutOfTime, land_days

LAST = dt.date(2018, 2, 28)
DAY = dt.timedelta(days=1)


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(str(tmp_path))


def land_in(exchange: Exchange, zone: LandingZone, day: dt.date = LAST, seconds: list[float] | None = None):
    clock = iter(seconds) if seconds else None
    return land_days(
        Binance(exchange.url), zone, "BTCUSDT", day, lambda: 60.0 if clock is None else next(clock, 0.0)
    )


def test_an_empty_zone_begins_with_the_day(exchange: Exchange, zone: LandingZone) -> None:
    assert land_in(exchange, zone).fresh == (LAST,)
    assert [kline.date for kline in zone.klines("BTCUSDT", dt.date(2017, 1, 1), dt.date.max)] == [LAST]


def test_the_day_s_4_hour_candles_are_landed_with_it(exchange: Exchange, zone: LandingZone) -> None:
    land_in(exchange, zone)
    bars = zone.klines("BTCUSDT", LAST, LAST + DAY, FOUR_HOURS)
    assert [bar.open_time.hour for bar in bars] == [0, 4, 8, 12, 16, 20]
    assert [request.params["interval"] for request in exchange.asked()] == ["1d", "4h"]


def test_D11_a_restated_4_hour_candle_becomes_a_new_version_of_its_day(
    exchange: Exchange, zone: LandingZone
) -> None:
    land_in(exchange, zone, LAST - 6 * DAY)
    land_in(exchange, zone)
    exchange.restate_bar(opens_at(LAST - 3 * DAY), high="99999.0")
    assert land_in(exchange, zone).restated == (LAST - 3 * DAY,)


@pytest.mark.parametrize("fault", [faults.status(503), faults.html(), faults.rows_of([["no candle"]])])
def test_a_last_call_lands_a_day_though_its_4_hour_candles_cannot_be_had(
    exchange: Exchange, zone: LandingZone, fault: faults.Fault
) -> None:
    impatient = Binance(exchange.url, retry=RetryPolicy(deadline=0.5, first_wait=0.01, longest_wait=0.01))
    exchange.spoil_interval("4h", fault, times=1000)
    with pytest.raises(SourceError):
        land_days(impatient, zone, "BTCUSDT", LAST, lambda: 60.0)
    assert zone.last_day("BTCUSDT") is None, "another call follows"
    found = land_days(impatient, zone, "BTCUSDT", LAST, lambda: 60.0, last_call=True)
    assert (found.fresh, found.without_bars) == ((LAST,), (LAST,))
    exchange.behave()
    assert land_in(exchange, zone).restated == (LAST,), "the next invocation adds them"
    assert len(zone.klines("BTCUSDT", LAST, LAST + DAY, FOUR_HOURS)) == 6


def test_an_answer_with_fewer_4_hour_candles_takes_nothing_away(
    exchange: Exchange, zone: LandingZone
) -> None:
    land_in(exchange, zone)
    bars = dict(exchange.bars)
    for opens in [opens for opens in bars if opens.date() == LAST][:2]:
        del exchange.bars[opens]
    assert land_in(exchange, zone).restated == ()
    exchange.bars.clear()
    assert land_in(exchange, zone).restated == ()
    assert len(zone.klines("BTCUSDT", LAST, LAST + DAY, FOUR_HOURS)) == 6
    exchange.restate(LAST, trades=7)
    assert land_in(exchange, zone).restated == (LAST,), "but a restated day is landed as it is"


def test_an_object_from_before_there_were_4_hour_candles_gains_them(
    exchange: Exchange, zone: LandingZone
) -> None:
    zone.put(Binance(exchange.url).klines("BTCUSDT", LAST - DAY, LAST)[0])
    assert land_in(exchange, zone).restated == (LAST - DAY,)
    assert len(zone.klines("BTCUSDT", LAST - DAY, LAST, FOUR_HOURS)) == 6


def test_L1_landing_again_changes_nothing(exchange: Exchange, zone: LandingZone) -> None:
    land_in(exchange, zone)
    again = land_in(exchange, zone)
    assert (again.fresh, again.restated) == ((), ())
    assert len(list(zone.versions("BTCUSDT", dt.date(2017, 1, 1), dt.date.max))) == 1


def test_L5_days_missed_before_are_landed_oldest_first(exchange: Exchange, zone: LandingZone) -> None:
    land_in(exchange, zone, LAST - 10 * DAY)
    healed = land_in(exchange, zone)
    assert healed.fresh == tuple(LAST - i * DAY for i in range(9, -1, -1))


def test_L5_a_gap_among_the_last_days_is_healed(exchange: Exchange, zone: LandingZone) -> None:
    for back in (5, 4, 2, 1):
        source, day = Binance(exchange.url), LAST - back * DAY
        bars = source.klines("BTCUSDT", day, day + DAY, FOUR_HOURS)
        zone.put(source.klines("BTCUSDT", day, day + DAY)[0], bars)
    assert land_in(exchange, zone).fresh == (LAST - 3 * DAY, LAST)


def test_D11_a_restated_day_becomes_a_new_version(exchange: Exchange, zone: LandingZone) -> None:
    land_in(exchange, zone, LAST - 6 * DAY)
    land_in(exchange, zone)
    exchange.restate(LAST - 3 * DAY, trades=7)
    assert land_in(exchange, zone).restated == (LAST - 3 * DAY,)
    assert zone.klines("BTCUSDT", LAST - 3 * DAY, LAST - 2 * DAY)[0].trades == 7
    assert len(list(zone.versions("BTCUSDT", LAST - 3 * DAY, LAST - 2 * DAY))) == 2


def test_L2_with_little_time_left_it_stops_cleanly_and_the_next_goes_on(
    exchange: Exchange, zone: LandingZone
) -> None:
    land_in(exchange, zone, LAST - 30 * DAY)
    with pytest.raises(OutOfTime, match=r"time is nearly up before .* were landed"):
        land_in(exchange, zone, seconds=[60.0] * 12)
    assert zone.last_day("BTCUSDT") < LAST
    land_in(exchange, zone)
    found = [kline.date for kline in zone.klines("BTCUSDT", LAST - 30 * DAY, LAST + DAY)]
    assert found == [LAST - i * DAY for i in range(30, -1, -1)]


def test_L3_a_late_event_lands_its_own_day_and_nothing_newer(exchange: Exchange, zone: LandingZone) -> None:
    assert land_in(exchange, zone, LAST - 5 * DAY).fresh == (LAST - 5 * DAY,)


def test_C5_an_exchange_whose_clock_is_behind_is_asked_again_later(
    exchange: Exchange, zone: LandingZone
) -> None:
    exchange.clock = dt.datetime(2018, 2, 28, 23, 59, tzinfo=dt.UTC)
    with pytest.raises(NoDataYet, match="by its clock it is 2018-02-28 23:59 UTC"):
        land_in(exchange, zone)
    assert zone.last_day("BTCUSDT") is None
