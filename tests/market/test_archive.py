"""The source `archive`: dumps in a folder and behind a URL, whole, broken and missing."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import exchange as faults
import pytest
from candles import DAY, checksum, csv_line, write_dump
from dumps import write_dumps
from exchange import Exchange

from btc_assets.errors import BadCandle, ConfigurationError, SourceRefused, SourceUnavailable
from btc_assets.market.calendar import DAILY, FOUR_HOURS, days
from btc_assets.market.kline import Kline
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.archive import Archive
from btc_assets.market.sources.dumps import LARGEST_CSV, daily, monthly, next_month
from btc_assets.market.sources.simulated import Simulated
from btc_assets.market.wire_format import to_row

NOVEMBER, JANUARY, APRIL = dt.date(2024, 11, 1), dt.date(2025, 1, 1), dt.date(2025, 4, 1)
QUICK = RetryPolicy(deadline=20.0, first_wait=0.001, longest_wait=0.01)


def write_month(root: Path, month: dt.date) -> Path:
    lines = [csv_line(day, micro=month >= JANUARY) for day in days(month, next_month(month))]
    return write_dump(root, monthly("BTCUSDT", month), lines)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """November 2024 to February 2025 by month, 1 to 3 March by day."""
    for month in (NOVEMBER, dt.date(2024, 12, 1), JANUARY, dt.date(2025, 2, 1)):
        write_month(tmp_path, month)
    for day in days(dt.date(2025, 3, 1), dt.date(2025, 3, 4)):
        write_dump(tmp_path, daily("BTCUSDT", day), [csv_line(day, micro=True)])
    return tmp_path


def read(root: Path, start: dt.date = NOVEMBER, end: dt.date = APRIL) -> list[dt.date]:
    return [kline.date for kline in Archive(str(root)).klines("BTCUSDT", start, end)]


def test_months_and_then_days_are_read_until_the_newest_file(dumps: Path) -> None:
    assert read(dumps) == list(days(NOVEMBER, dt.date(2025, 3, 4)))
    assert Archive(str(dumps)).now() == dt.datetime(2025, 3, 4, tzinfo=dt.UTC)


def test_D3_milliseconds_and_microseconds_give_candles_alike(dumps: Path) -> None:
    before, after = Archive(str(dumps)).klines("BTCUSDT", JANUARY - DAY, JANUARY + DAY)
    assert after.open_time - before.open_time == after.close_time - before.close_time == DAY
    assert before.close_time == dt.datetime(2024, 12, 31, 23, 59, 59, 999000, tzinfo=dt.UTC)


def test_only_the_days_asked_for_are_returned(dumps: Path) -> None:
    assert read(dumps, dt.date(2024, 12, 30), dt.date(2025, 1, 2)) == list(
        days(dt.date(2024, 12, 30), dt.date(2025, 1, 2))
    )
    assert read(dumps, dt.date(2025, 5, 1), dt.date(2025, 6, 1)) == []


def test_a_missing_month_is_named(dumps: Path) -> None:
    (dumps / monthly("BTCUSDT", JANUARY)).unlink()
    with pytest.raises(
        SourceRefused, match=r"BTCUSDT-1d-2025-01\.zip.*are missing, though.*until 2025-03-03"
    ):
        read(dumps)
    assert read(dumps, NOVEMBER, JANUARY) == list(days(NOVEMBER, JANUARY))


def test_a_missing_daily_file_is_named(dumps: Path) -> None:
    (dumps / daily("BTCUSDT", dt.date(2025, 3, 2))).unlink()
    with pytest.raises(SourceRefused, match=r"BTCUSDT-1d-2025-03-02\.zip"):
        read(dumps)


def test_a_month_may_come_as_daily_files(dumps: Path) -> None:
    (dumps / monthly("BTCUSDT", JANUARY)).unlink()
    for day in days(JANUARY, dt.date(2025, 2, 1)):
        write_dump(dumps, daily("BTCUSDT", day), [csv_line(day, micro=True)])
    assert read(dumps) == list(days(NOVEMBER, dt.date(2025, 3, 4)))


def test_4_hour_dumps_are_read_beside_daily_ones(tmp_path: Path) -> None:
    first, last = dt.date(2018, 1, 1), dt.date(2018, 2, 28)
    write_dumps(tmp_path, last, first=first)
    bars = Archive(str(tmp_path)).klines("BTCUSDT", first, last + DAY, FOUR_HOURS)
    assert bars == [replace(bar, source="archive") for bar in made(first, last)]


def test_days_whose_4_hour_dumps_are_missing_have_no_bars_and_are_no_error(tmp_path: Path) -> None:
    first, last = dt.date(2018, 1, 1), dt.date(2018, 2, 28)
    write_dumps(tmp_path, last, [DAILY], first)
    archive = Archive(str(tmp_path))
    assert archive.klines("BTCUSDT", first, last + DAY, FOUR_HOURS) == []
    there = [dt.date(2018, 2, day) for day in (1, 2, 4, 9, 20)]
    write_bars(tmp_path, there)
    assert bar_days(archive, first, last + DAY) == there
    for middle in days(first, last):
        split = bar_days(archive, first, middle) + bar_days(archive, middle, last + DAY)
        assert split == there, "however the range is split"


def test_at_a_url_a_few_missing_4_hour_dumps_in_a_row_end_the_month(
    tmp_path: Path, exchange: Exchange
) -> None:
    first, last = dt.date(2018, 1, 1), dt.date(2018, 2, 28)
    write_dumps(tmp_path, last, [DAILY], first)
    there = [dt.date(2018, 2, day) for day in (1, 2, 4, 7, 11)]
    write_bars(tmp_path, there)
    exchange.files |= {
        f"/{file.relative_to(tmp_path)}": file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    }
    archive = Archive(exchange.url, retry=QUICK)
    assert bar_days(archive, first, last + DAY) == there[:-1]
    asked = [r.path for r in exchange.requests if "-4h-" in r.path and not r.path.endswith("CHECKSUM")]
    assert len(asked) == 2 + 3 + 10, "two months, three days of January, ten of February"


def write_bars(root: Path, wanted: list[dt.date]) -> None:
    """Daily files of the 4-hour candles of some days."""
    for day in wanted:
        lines = [",".join(to_row(bar)) for bar in made(day, day)]
        write_dump(root, daily("BTCUSDT", day, FOUR_HOURS), lines)


def bar_days(archive: Archive, start: dt.date, end: dt.date) -> list[dt.date]:
    """The days of which there are 4-hour candles."""
    return sorted({bar.date for bar in archive.klines("BTCUSDT", start, end, FOUR_HOURS)})


def test_D12_a_4_hour_dump_that_does_not_hash_to_its_checksum_is_refused(tmp_path: Path) -> None:
    first, last = dt.date(2018, 1, 1), dt.date(2018, 1, 31)
    write_dumps(tmp_path, last, first=first)
    file = tmp_path / monthly("BTCUSDT", first, FOUR_HOURS)
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(SourceRefused, match=r"BTCUSDT-4h-2018-01\.zip: does not hash"):
        Archive(str(tmp_path)).klines("BTCUSDT", first, last, FOUR_HOURS)


def made(first: dt.date, last: dt.date) -> list[Kline]:
    """The simulated market's 4-hour candles."""
    late = Simulated(lambda: dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    return late.klines("BTCUSDT", first, last + DAY, FOUR_HOURS)


def test_a_day_the_exchange_lost_is_absent_not_an_error(dumps: Path) -> None:
    lines = [csv_line(day) for day in days(NOVEMBER, dt.date(2024, 12, 1)) if day.day != 13]
    write_dump(dumps, monthly("BTCUSDT", NOVEMBER), lines)
    assert dt.date(2024, 11, 13) not in read(dumps)


def test_D12_a_flipped_bit_is_caught_before_unpacking(dumps: Path) -> None:
    file = dumps / monthly("BTCUSDT", JANUARY)
    packed = bytearray(file.read_bytes())
    packed[60] ^= 1
    file.write_bytes(packed)
    with pytest.raises(SourceRefused, match="does not hash to its CHECKSUM; it was not unpacked"):
        read(dumps)


@pytest.mark.parametrize("text", ["", "abc  x.zip", "\x00" * 200, "{0}  other.zip", "{0} {0} {1}"])
def test_D12_a_checksum_that_is_none_is_refused(dumps: Path, text: str) -> None:
    file = dumps / (monthly("BTCUSDT", JANUARY) + ".CHECKSUM")
    file.write_text(text.format("0" * 64, "BTCUSDT-1d-2025-01.zip"))
    with pytest.raises(SourceRefused, match="not the sha256 of"):
        read(dumps)


def test_D12_a_missing_checksum_is_refused(dumps: Path) -> None:
    (dumps / (monthly("BTCUSDT", JANUARY) + ".CHECKSUM")).unlink()
    with pytest.raises(SourceRefused, match=r"\.CHECKSUM is missing"):
        read(dumps)


@pytest.mark.parametrize("member", ["../../evil.csv", "/etc/passwd", "BTCUSDT-1d-2025-02.csv", ""])
def test_D12_a_zip_that_reaches_elsewhere_is_refused(dumps: Path, member: str) -> None:
    write_dump(dumps, monthly("BTCUSDT", JANUARY), [csv_line(JANUARY)], member=member or "a/../b.csv")
    with pytest.raises(SourceRefused, match=r"instead of only BTCUSDT-1d-2025-01\.csv"):
        read(dumps)


def test_D12_a_zip_bomb_is_refused_though_it_lies_about_its_size(dumps: Path) -> None:
    file = write_dump(dumps, monthly("BTCUSDT", JANUARY), ["0" * (20 * LARGEST_CSV)])
    with pytest.raises(SourceRefused, match="unpacks to more than 1 MiB"):
        read(dumps)
    packed = bytearray(file.read_bytes())
    central = packed.rindex(b"PK\x01\x02")
    packed[central + 24 : central + 28] = struct.pack("<I", 100)
    file.write_bytes(packed)
    checksum(file)
    with pytest.raises(SourceRefused):
        read(dumps)


def test_D12_two_files_in_one_zip_are_refused(dumps: Path) -> None:
    file = dumps / monthly("BTCUSDT", JANUARY)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more.csv", "x")
    checksum(file)
    with pytest.raises(SourceRefused, match="instead of only"):
        read(dumps)


@pytest.mark.parametrize("body", [b"", b"PK", b"not a zip at all", b"\x00" * 4096])
def test_D12_what_is_no_zip_is_refused(dumps: Path, body: bytes) -> None:
    file = dumps / monthly("BTCUSDT", JANUARY)
    file.write_bytes(body)
    checksum(file)
    with pytest.raises(SourceRefused, match="not a readable zip file"):
        read(dumps)


def test_D9_a_line_with_eleven_columns_names_file_line_and_column(dumps: Path) -> None:
    lines = [csv_line(JANUARY, micro=True), csv_line(JANUARY + DAY, micro=True).rsplit(",", 1)[0]]
    write_dump(dumps, monthly("BTCUSDT", JANUARY), lines)
    with pytest.raises(BadCandle, match=r"BTCUSDT-1d-2025-01\.zip line 2: column 'ignore' is missing"):
        read(dumps)


def test_D4_a_day_of_another_month_is_refused(dumps: Path) -> None:
    write_dump(dumps, monthly("BTCUSDT", JANUARY), [csv_line(NOVEMBER)])
    with pytest.raises(BadCandle, match="holds 2024-11-01, which is not one of its days"):
        read(dumps)


def test_D5_a_file_that_contradicts_itself_is_refused(dumps: Path) -> None:
    write_dump(dumps, monthly("BTCUSDT", JANUARY), [csv_line(JANUARY), csv_line(JANUARY, close="101")])
    with pytest.raises(BadCandle, match="two different candles"):
        read(dumps)


@pytest.mark.parametrize("location", ["", "nowhere/at/all", "ftp://example.invalid"])
def test_a_folder_that_is_none_is_a_configuration_error(location: str) -> None:
    with pytest.raises(ConfigurationError, match="BTC_ARCHIVE"):
        Archive(location)


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"expected files like spot/monthly/.*2017-08\.zip"):
        Archive(str(tmp_path)).now()


class TestUrl:
    """The same files behind a web server."""

    @pytest.fixture
    def web(self, exchange: Exchange, tmp_path: Path) -> Exchange:
        today = dt.datetime.now(dt.UTC).date()
        self.last = today - 2 * DAY
        self.first = (self.last.replace(day=1) - DAY).replace(day=1)
        write_month(tmp_path, self.first)
        for day in days(next_month(self.first), self.last + DAY):
            write_dump(tmp_path, daily("BTCUSDT", day), [csv_line(day, micro=True)])
        exchange.files = {
            f"/data/{file.relative_to(tmp_path).as_posix()}": file.read_bytes()
            for file in tmp_path.rglob("*")
            if file.is_file()
        }
        shutil.rmtree(tmp_path / "spot")
        return exchange

    def test_candles_are_read_until_the_newest_file(self, web: Exchange) -> None:
        archive = Archive(f"{web.url}/data/", retry=QUICK)
        klines = archive.klines("BTCUSDT", self.first, self.last + 10 * DAY)
        assert [kline.date for kline in klines] == list(days(self.first, self.last + DAY))
        assert archive.now().date() == self.last + DAY

    def test_a_mirror_that_stopped_long_ago_still_serves_what_it_has(
        self, exchange: Exchange, tmp_path: Path
    ) -> None:
        write_month(tmp_path, NOVEMBER)
        for file in tmp_path.rglob("*BTC*"):
            if file.is_file():
                exchange.files[f"/{file.relative_to(tmp_path).as_posix()}"] = file.read_bytes()
        assert Archive(exchange.url, retry=QUICK).now() == dt.datetime(2024, 12, 1, tzinfo=dt.UTC)

    def test_S10_a_failing_web_server_is_retried(self, web: Exchange) -> None:
        web.spoil(faults.html(503), times=3)
        web.spoil(faults.truncated, times=2)
        assert Archive(f"{web.url}/data", retry=QUICK).klines("BTCUSDT", self.first, self.first + DAY)

    def test_S2_a_hanging_web_server_is_given_up(self, web: Exchange) -> None:
        web.spoil(faults.hang, times=50)
        with pytest.raises(SourceUnavailable, match="no complete answer in time"):
            Archive(f"{web.url}/data", retry=RetryPolicy(deadline=0.1)).now()

    def test_S13_a_redirect_is_refused(self, web: Exchange) -> None:
        web.spoil(faults.redirect("http://elsewhere.invalid/"))
        with pytest.raises(SourceRefused, match="redirects to"):
            Archive(f"{web.url}/data", retry=QUICK).now()


def test_the_packed_bytes_never_touch_the_disk(dumps: Path) -> None:
    before = sorted(dumps.rglob("*"))
    read(dumps)
    assert sorted(dumps.rglob("*")) == before
    assert zipfile.is_zipfile(io.BytesIO((dumps / monthly("BTCUSDT", NOVEMBER)).read_bytes()))
