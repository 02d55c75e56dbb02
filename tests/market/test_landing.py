"""The landing zone in a folder: versions, conditional writes, damage."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from candles import DAY, bars_of, candle

from btc_assets.errors import BadCandle, ConfigurationError, SourceUnavailable
from btc_assets.market.calendar import FOUR_HOURS
from btc_assets.market.sources.landing import LandedVersion, LandingZone
from btc_assets.market.wire_format import to_row

START = dt.date(2025, 6, 1)
END = START + 30 * DAY


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(str(tmp_path / "landing"))


def test_a_landed_candle_comes_back_labelled(zone: LandingZone) -> None:
    landed, wrote = zone.put(candle(START))
    assert wrote
    assert landed.key == f"BTCUSDT/2025-06-01/0001-{landed.sha256}.json"
    assert zone.klines("BTCUSDT", START, END) == [candle(START, source="landing")]


def test_its_4_hour_candles_are_landed_with_a_day(zone: LandingZone) -> None:
    day, bars = candle(START), bars_of(START)
    first, _ = zone.put(day, bars)
    assert zone.put(day, bars) == (first, False)
    assert zone.klines("BTCUSDT", START, END, FOUR_HOURS) == [replace(b, source="landing") for b in bars]
    assert zone.klines("BTCUSDT", START, END) == [candle(START, source="landing")]
    restated = [replace(bars[0], high=bars[0].high * 1.01), *bars[1:]]
    second, wrote = zone.put(day, restated)
    assert (second.version, wrote) == (2, True)


def test_a_day_that_was_landed_without_them_has_none(zone: LandingZone) -> None:
    zone.put(candle(START))
    zone.put(candle(START + DAY), bars_of(START + DAY))
    found = zone.klines("BTCUSDT", START, END, FOUR_HOURS)
    assert {bar.date for bar in found} == {START + DAY}


@pytest.mark.parametrize("bars", [5, "abc", [1], [["x"] * 12], {"a": 1}], ids=repr)
def test_bars_that_are_none_are_refused(zone: LandingZone, tmp_path: Path, bars: object) -> None:
    body = json.dumps({"symbol": "BTCUSDT", "row": to_row(candle(START)), "bars": bars}).encode()
    landed = LandedVersion("BTCUSDT", START, 1, hashlib.sha256(body).hexdigest())
    file = tmp_path / "landing" / landed.key
    file.parent.mkdir(parents=True)
    file.write_bytes(body)
    with pytest.raises(BadCandle, match=str(START)):
        zone.klines("BTCUSDT", START, END, FOUR_HOURS)


def test_bars_of_another_day_are_refused(zone: LandingZone) -> None:
    zone.put(candle(START), bars_of(START + DAY))
    with pytest.raises(BadCandle, match="holds 'BTCUSDT' 2025-06-02"):
        zone.klines("BTCUSDT", START, END, FOUR_HOURS)


def test_L1_the_same_candle_three_times_is_one_object(zone: LandingZone) -> None:
    wrote = [zone.put(candle(START, source=source))[1] for source in ("binance", "archive", "binance")]
    assert wrote == [True, False, False]
    assert len(list(zone.versions("BTCUSDT", START, END))) == 1


def test_D11_a_restated_candle_is_a_new_version_and_the_old_stays(zone: LandingZone) -> None:
    first, _ = zone.put(candle(START, trades=1))
    second, wrote = zone.put(candle(START, trades=2))
    assert (second.version, wrote) == (2, True)
    assert zone.klines("BTCUSDT", START, END)[0].trades == 2
    assert zone.read(first)[0].trades == 1


def test_D11_going_back_to_earlier_figures_is_the_newest_version(zone: LandingZone) -> None:
    for trades in (1, 2, 1):
        zone.put(candle(START, trades=trades))
    assert [landed.version for landed in zone.versions("BTCUSDT", START, END)] == [1, 2, 3]
    assert zone.klines("BTCUSDT", START, END)[0].trades == 1


def test_days_come_in_order_and_only_those_asked_for(zone: LandingZone) -> None:
    for offset in (3, 1, 2, 0, 40):
        zone.put(candle(START + offset * DAY))
    got = [kline.date for kline in zone.klines("BTCUSDT", START + DAY, START + 3 * DAY)]
    assert got == [START + DAY, START + 2 * DAY]
    assert zone.klines("ETHUSDT", START, END) == []


def test_the_zone_s_clock_is_the_end_of_the_newest_day(zone: LandingZone) -> None:
    assert zone.now() == dt.datetime(2017, 8, 17, tzinfo=dt.UTC)
    zone.put(candle(START))
    assert zone.now() == dt.datetime(2025, 6, 2, tzinfo=dt.UTC)
    recent = dt.datetime.now(dt.UTC).date() - DAY
    zone.put(candle(recent))
    assert zone.now().date() == recent + DAY


@pytest.mark.parametrize("flip", [0, 20, -1])
def test_T5_a_flipped_bit_is_refused_before_it_is_decoded(
    zone: LandingZone, tmp_path: Path, flip: int
) -> None:
    landed, _ = zone.put(candle(START))
    file = tmp_path / "landing" / landed.key
    body = bytearray(file.read_bytes())
    body[flip] ^= 1
    file.write_bytes(body)
    with pytest.raises(BadCandle, match="does not hash to its name"):
        zone.klines("BTCUSDT", START, END)


def test_an_object_of_another_day_is_refused(zone: LandingZone, tmp_path: Path) -> None:
    landed, _ = zone.put(candle(START))
    wrong = replace(landed, date=START + DAY)
    target = tmp_path / "landing" / wrong.key
    target.parent.mkdir()
    target.write_bytes((tmp_path / "landing" / landed.key).read_bytes())
    with pytest.raises(BadCandle, match="holds 'BTCUSDT' 2025-06-01"):
        zone.read(wrong)


def test_foreign_objects_are_passed_over(zone: LandingZone, tmp_path: Path) -> None:
    zone.put(candle(START))
    for name in ("BTCUSDT/2025-06-01/notes.json", "BTCUSDT/2025-06-0x/0001-ab.json", "BTCUSDT/readme.json"):
        file = tmp_path / "landing" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    assert len(zone.klines("BTCUSDT", START, END)) == 1


def test_T7_racing_writers_leave_one_object_a_content(zone: LandingZone) -> None:
    start = threading.Barrier(8)

    def put(trades: int) -> tuple[LandedVersion, bool]:
        start.wait()
        return zone.put(candle(START, trades=trades))

    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(put, [5] * 8))
    assert sum(wrote for _, wrote in same) == 1
    assert len({landed for landed, _ in same}) == 1


def test_T3_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SourceUnavailable, match="could not be written"):
        LandingZone(str(tmp_path / "file")).put(candle(START))


def test_nothing_half_written_is_left(zone: LandingZone, tmp_path: Path) -> None:
    landed, _ = zone.put(candle(START))
    files = [file for file in (tmp_path / "landing").rglob("*") if file.is_file()]
    assert files == [tmp_path / "landing" / landed.key]


@pytest.mark.parametrize("location", ["", "s3://", "gs://bucket", "https://bucket"])
def test_a_location_that_is_none_is_a_configuration_error(location: str) -> None:
    with pytest.raises(ConfigurationError, match="BTC_LANDING"):
        LandingZone(location)
