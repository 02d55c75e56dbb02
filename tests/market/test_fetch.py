"""Asking for days that must exist, and opening the source that the settings name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from candles import DAY, csv_line, write_dump
from exchange import Exchange

from btc_assets import settings
from btc_assets.errors import ConfigurationError, NoDataYet
from btc_assets.market.calendar import FIRST_DAY
from btc_assets.market.fetch import fetch_days
from btc_assets.market.sources.archive import Archive
from btc_assets.market.sources.binance import Binance
from btc_assets.market.sources.dumps import daily
from btc_assets.market.sources.factory import open_source
from btc_assets.market.sources.landing import LandingZone
from btc_assets.market.sources.simulated import Simulated

LAST = dt.date(2018, 2, 28)


@pytest.fixture
def source(exchange: Exchange) -> Binance:
    return Binance(exchange.url)


def test_a_closed_day_is_fetched(source: Binance) -> None:
    assert fetch_days(source, "BTCUSDT", LAST, LAST + DAY)[0].date == LAST


def test_S12_a_closed_day_without_a_candle_says_to_come_back(exchange: Exchange, source: Binance) -> None:
    del exchange.rows[LAST]
    with pytest.raises(
        NoDataYet, match="no data yet for BTCUSDT 2018-02-28 from binance, though the day closed"
    ):
        fetch_days(source, "BTCUSDT", LAST, LAST + DAY)


def test_C7_a_future_day_says_when_it_will_be_there(source: Binance) -> None:
    with pytest.raises(
        NoDataYet, match=r"it is 2018-03-01 00:10 UTC; expected shortly after 2018-03-04 00:00 UTC"
    ):
        fetch_days(source, "BTCUSDT", dt.date(2018, 3, 3), dt.date(2018, 3, 3) + DAY)


def test_C7_a_range_into_the_future_is_refused_whole(source: Binance) -> None:
    with pytest.raises(NoDataYet, match="from 2018-03-01 to 2018-03-02"):
        fetch_days(source, "BTCUSDT", LAST - DAY, LAST + 3 * DAY)


def test_C7_a_day_before_the_first_candle_is_refused_without_a_call(
    exchange: Exchange, source: Binance
) -> None:
    with pytest.raises(ConfigurationError, match="lies before 2017-08-17"):
        fetch_days(source, "BTCUSDT", FIRST_DAY - DAY, LAST)
    assert exchange.requests == []


@pytest.mark.parametrize("end", [LAST, LAST - DAY])
def test_a_range_backwards_is_refused(source: Binance, end: dt.date) -> None:
    with pytest.raises(ConfigurationError, match="holds no day"):
        fetch_days(source, "BTCUSDT", LAST, end)


def test_D6_a_gap_inside_the_range_is_left_open(exchange: Exchange, source: Binance) -> None:
    del exchange.rows[dt.date(2018, 2, 9)]
    klines = fetch_days(source, "BTCUSDT", dt.date(2018, 2, 8), dt.date(2018, 2, 11))
    assert [kline.date.day for kline in klines] == [8, 10]


def test_an_archive_says_how_far_it_goes(tmp_path: Path) -> None:
    write_dump(tmp_path, daily("BTCUSDT", LAST), [csv_line(LAST)])
    with pytest.raises(NoDataYet, match="by its clock it is 2018-03-01 00:00 UTC"):
        fetch_days(Archive(str(tmp_path)), "BTCUSDT", LAST + DAY, LAST + DAY + DAY)


def test_settings_choose_the_source(tmp_path: Path) -> None:
    chosen = {
        "binance": Binance,
        "archive": Archive,
        "landing": LandingZone,
        "simulated": Simulated,
    }
    for name, kind in chosen.items():
        given = settings.load({}, source=name, archive=str(tmp_path), landing=str(tmp_path))
        source = open_source(given)
        assert type(source) is kind
        assert source.name == name
        assert source.simulated == (name == "simulated")


@pytest.mark.parametrize("name", ["archive", "landing"])
def test_a_source_without_its_setting_names_the_variable(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"BTC_SOURCE={name} needs BTC_{name.upper()}"):
        open_source(settings.load({}, source=name))


def test_S6_the_ban_file_lies_in_the_cache_folder(exchange: Exchange, tmp_path: Path) -> None:
    given = settings.load({}, binance_url=exchange.url, cache_dir=tmp_path, source_deadline=0.5)
    source = open_source(given)
    exchange.weight_limit = -1
    with pytest.raises(Exception, match="429"):
        source.klines("BTCUSDT", LAST, LAST + DAY)
    assert (tmp_path / "binance-hold.json").exists()
