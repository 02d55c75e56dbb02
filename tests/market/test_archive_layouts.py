"""Archives as people have them: months that lack days, desktops' litter, other layouts, odd dates."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from candles import DAY, checksum, csv_line, write_dump
from dumps import write_dumps
from exchange import Exchange
from hypothesis import given, settings
from hypothesis import strategies as st

from btc_assets.errors import BadCandle, ConfigurationError, SourceRefused
from btc_assets.market.calendar import FOUR_HOURS, days
from btc_assets.market.retry import RetryPolicy
from btc_assets.market.sources.archive import Archive
from btc_assets.market.sources.checksums import stated_sha256
from btc_assets.market.sources.dumps import daily, monthly, next_month
from btc_assets.market.sources.simulated import Simulated
from btc_assets.market.wire_format import to_row

APRIL, MAY, JUNE = dt.date(2025, 4, 1), dt.date(2025, 5, 1), dt.date(2025, 6, 1)
LAST = dt.date(2025, 6, 30)
TODAY = dt.datetime.now(dt.UTC).date()
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


def lines(start: dt.date, end: dt.date, without: frozenset[dt.date] = frozenset()) -> list[str]:
    return [csv_line(day, micro=True) for day in days(start, end) if day not in without]


def write_month(root: Path, month: dt.date, *absent: dt.date) -> Path:
    rows = lines(month, next_month(month), frozenset(absent))
    return write_dump(root, monthly("BTCUSDT", month), rows)


def write_day(root: Path, day: dt.date, close: str = "100.00000000") -> Path:
    return write_dump(root, daily("BTCUSDT", day), [csv_line(day, micro=True, close=close)])


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """April to June 2025, a file a month."""
    for month in (APRIL, MAY, JUNE):
        write_month(tmp_path, month)
    return tmp_path


def read(location: Path | str) -> list[dt.date]:
    archive = Archive(str(location), retry=RetryPolicy(deadline=20.0, first_wait=0.001, longest_wait=0.01))
    return [kline.date for kline in archive.klines("BTCUSDT", APRIL, dt.date(2100, 1, 1))]


WHOLE = list(days(APRIL, LAST + DAY))


@settings(max_examples=25)
@given(absent=st.sets(st.sampled_from(list(days(MAY, JUNE))), min_size=1, max_size=30))
def test_D13_days_that_a_month_lacks_come_from_daily_files(
    tmp_path_factory: pytest.TempPathFactory, absent: set[dt.date]
) -> None:
    root = tmp_path_factory.mktemp("archive")
    for month in (APRIL, JUNE):
        write_month(root, month)
    write_month(root, MAY, *absent)
    for day in absent:
        write_day(root, day)
    assert read(root) == WHOLE


def test_D13_at_a_url_too(dumps: Path, exchange: Exchange) -> None:
    write_month(dumps, MAY, dt.date(2025, 5, 1), dt.date(2025, 5, 31))
    for day in (1, 31):
        write_day(dumps, dt.date(2025, 5, day))
    exchange.files |= {
        f"/{file.relative_to(dumps).as_posix()}": file.read_bytes()
        for file in dumps.rglob("*")
        if file.is_file()
    }
    assert read(exchange.url) == WHOLE


def test_D13_bars_that_a_month_lacks_come_from_daily_files(tmp_path: Path) -> None:
    first, last, lost = dt.date(2018, 1, 1), dt.date(2018, 2, 28), dt.date(2018, 1, 20)
    write_dumps(tmp_path, last, first=first)
    market = Simulated(lambda: dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    bars = market.klines("BTCUSDT", first, dt.date(2018, 2, 1), FOUR_HOURS)
    part = [",".join(to_row(bar)) for bar in bars if bar.date != lost]
    write_dump(tmp_path, monthly("BTCUSDT", first, FOUR_HOURS), part)
    day = [",".join(to_row(bar)) for bar in bars if bar.date == lost]
    write_dump(tmp_path, daily("BTCUSDT", lost, FOUR_HOURS), day)
    found = Archive(str(tmp_path)).klines("BTCUSDT", first, dt.date(2018, 2, 1), FOUR_HOURS)
    assert [bar.open_time for bar in found] == [bar.open_time for bar in bars]


@pytest.mark.parametrize("rows", [[], [""], [HEADER], ["", " ", ""]])
def test_D13_an_empty_month_is_refused_and_hides_no_days(dumps: Path, rows: list[str]) -> None:
    write_dump(dumps, monthly("BTCUSDT", MAY), rows)
    for day in days(MAY, JUNE):
        write_day(dumps, day)
    with pytest.raises(SourceRefused, match=r"BTCUSDT-1d-2025-05\.zip: holds no candle; download it again"):
        read(dumps)
    (dumps / monthly("BTCUSDT", MAY)).unlink()
    assert read(dumps) == WHOLE


def test_D13_files_that_differ_are_named_with_what_they_say(dumps: Path) -> None:
    write_day(dumps, dt.date(2025, 5, 9))
    assert read(dumps) == WHOLE, "equal ones are harmless"
    write_day(dumps, dt.date(2025, 5, 9), close="101.0")
    with pytest.raises(BadCandle, match=r"2025-05-09.*2025-05\.zip has close 100\.0.*2025-05-09\.zip 101\.0"):
        read(dumps)


def test_D14_a_running_month_packed_early_does_not_move_the_clock(dumps: Path) -> None:
    month = TODAY.replace(day=1)
    yesterday = TODAY - DAY
    start = yesterday.replace(day=1)
    rows = lines(start, max(yesterday, start + DAY)) + lines(TODAY, TODAY + DAY) * (start == month)
    write_dump(dumps, monthly("BTCUSDT", start), rows)
    assert Archive(str(dumps)).now().date() <= TODAY
    held = max(start, yesterday - DAY)
    assert Archive(str(dumps)).now().date() == held + DAY
    write_day(dumps, yesterday)
    write_day(dumps, TODAY)
    archive = Archive(str(dumps))
    assert archive.now().date() == TODAY, "the day that runs is not over, whoever packed it"
    assert [kline.date for kline in archive.klines("BTCUSDT", held, TODAY + 9 * DAY)][-1] == yesterday


@pytest.mark.parametrize("name", ["2062-01", "2062-01-31", "9999-12"])
def test_D14_a_file_of_the_future_does_not_move_the_clock(dumps: Path, name: str) -> None:
    write_dump(dumps, f"spot/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-{name}.zip", lines(MAY, JUNE))
    assert Archive(str(dumps)).now() == dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
    assert read(dumps) == WHOLE


def test_D14_days_between_a_month_packed_early_and_the_newest_file_are_asked_for(dumps: Path) -> None:
    write_month(dumps, JUNE, *days(dt.date(2025, 6, 21), dt.date(2025, 7, 1)))
    write_day(dumps, dt.date(2025, 6, 24))
    with pytest.raises(SourceRefused, match=r"1d-2025-06-21\.zip is missing, and .*2025-06\.zip ends before"):
        read(dumps)


@pytest.mark.parametrize(
    ("prefix", "end", "suffix"),
    [
        (HEADER + "\n", "\n", "\n"),
        (HEADER.replace("_", " ").title() + "\r\n", "\r\n", "\r\n"),
        ("\ufeff", "\n", "\n"),
        ("\ufeff" + HEADER + "\n", "\n", ""),
        ("", "\n", "\n\n\n"),
        ("", "\r\n", "\r\n \r\n"),
        ("\n", "\n", ""),
    ],
)
def test_D15_headers_marks_and_blank_lines_are_harmless(
    dumps: Path, prefix: str, end: str, suffix: str
) -> None:
    pack(dumps / monthly("BTCUSDT", MAY), {"": prefix + end.join(lines(MAY, JUNE)) + suffix})
    assert read(dumps) == WHOLE


def test_D15_columns_in_another_order_are_refused(dumps: Path) -> None:
    pack(dumps / monthly("BTCUSDT", MAY), {"": "open_time,close,high,low,open,volume,close_time\n"})
    with pytest.raises(SourceRefused, match=r"its columns are open_time, close.*expected open time, open"):
        read(dumps)


@pytest.mark.parametrize(
    "members",
    [
        {"": None, "__MACOSX/._BTCUSDT-1d-2025-05.csv": "\x00\x05\x16"},
        {".DS_Store": "x", "": None},
        {"BTCUSDT-1d-2025-05/": "", "BTCUSDT-1d-2025-05/BTCUSDT-1d-2025-05.csv": None},
        {"./BTCUSDT-1d-2025-05.csv": None},
        {"btcusdt-1D-2025-05.CSV": None},
        {"dumps\\BTCUSDT-1d-2025-05.csv": None, "desktop.ini": "x"},
    ],
)
def test_D15_what_a_desktop_packs_along_is_left_out(dumps: Path, members: dict[str, str | None]) -> None:
    pack(dumps / monthly("BTCUSDT", MAY), members)
    assert read(dumps) == WHOLE


def pack(file: Path, members: dict[str, str | None]) -> None:
    """Write a dump of these members; no name is the usual one, no text the month of May."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            content = "\n".join(lines(MAY, JUNE)) + "\n" if text is None else text
            archive.writestr(name or file.name.replace(".zip", ".csv"), content)
    file.write_bytes(packed.getvalue())
    checksum(file)


@pytest.mark.parametrize(
    "layout",
    [
        "{hash}  {name}\n",
        "{hash} *{name}\r\n",
        "{hash}  ./{name}",
        "{hash}  C:\\dumps\\{name}",
        "SHA256 ({name}) = {hash}\n",
        "SHA256(./{name})= {hash}\n",
        "SHA2-256({name})= {hash}\n",
        "{hash}\n",
        "{HASH}  {name}\n",
        "\ufeff{hash}  {name}\n",
        "\n\n{hash}  {name}\n\n",
        "{zero}  other.zip\n{hash}  {name}\n",
        "SHA256 hash of {name}:\r\n{hash}\r\nCertUtil: -hashfile command completed successfully.\r\n",
        "SHA256 hash of file {name}:\r\n{spaced}\r\nCertUtil: -hashfile command completed.\r\n",
        "Algorithm  Hash    Path\r\n---------  ----    ----\r\nSHA256     {HASH}    C:\\x\\{name}\r\n",
        "Algorithm : SHA256\r\nHash      : {HASH}\r\nPath      : C:\\my files\\{name}\r\n",
    ],
)
def test_D15_checksums_in_every_usual_layout(dumps: Path, layout: str) -> None:
    file = dumps / monthly("BTCUSDT", MAY)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    pairs = " ".join(re.findall("..", digest))
    text = layout.format(hash=digest, HASH=digest.upper(), name=file.name, zero="0" * 64, spaced=pairs)
    for encoding in ("utf-8", "utf-16"):
        file.with_name(file.name + ".CHECKSUM").write_text(text, encoding=encoding, newline="")
        assert read(dumps) == WHOLE
    pairs = " ".join(["11"] * 32)
    wrong = layout.format(hash="1" * 64, HASH="A" * 64, name=file.name, zero="0" * 64, spaced=pairs)
    file.with_name(file.name + ".CHECKSUM").write_text(wrong, encoding="utf-8", newline="")
    with pytest.raises(SourceRefused, match="does not hash to its CHECKSUM"):
        read(dumps)


@pytest.mark.parametrize("layout", ["{hash} {hash} {name}", "{hash}\nother.zip", "{name}\n{hash}  b.zip"])
def test_D15_a_checksum_that_may_be_of_another_file_is_none(layout: str) -> None:
    assert stated_sha256(layout.format(hash="ab" * 32, name="a.zip").encode(), "a.zip") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n".join(lines(MAY, JUNE)).replace(",", ";"), "separated by semicolons, as a spreadsheet saves it"),
        (HEADER.replace(",", ";"), "separated by semicolons, as a spreadsheet saves it"),
        (
            "\n".join(lines(MAY, JUNE)).encode("utf-16"),
            "not plain text, as an editor or a spreadsheet may save",
        ),
    ],
)
def test_D15_what_a_spreadsheet_saved_is_refused_by_its_name(
    dumps: Path, text: str | bytes, says: str
) -> None:
    file = dumps / monthly("BTCUSDT", MAY)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(file.name.replace(".zip", ".csv"), text)
    checksum(file)
    with pytest.raises(SourceRefused, match=f"{file.name}: .*{says}.*; download it again"):
        read(dumps)


COPIES = [
    ("{name} (1).zip", "{name} (1).zip.CHECKSUM"),
    ("{name} (1).zip", "{name}.zip.CHECKSUM"),
    ("{name}.zip", "{name}.zip.CHECKSUM.txt"),
    ("{name}.zip", "{name}.zip (2).CHECKSUM"),
    ("{name} - Copy.zip", "{name}.zip.CHECKSUM"),
    ("{name} - Copy (2).zip", "{name}.zip - Copy.CHECKSUM"),
    ("{name}(1).ZIP", "{name}(1).zip.checksum"),
]


@pytest.mark.parametrize(("packed", "checked"), COPIES)
@pytest.mark.parametrize("month", [MAY, JUNE])
def test_D15_a_second_download_is_read_under_the_name_that_a_browser_gave_it(
    dumps: Path, month: dt.date, packed: str, checked: str
) -> None:
    file = dumps / monthly("BTCUSDT", month)
    file.with_name(file.name + ".CHECKSUM").rename(file.with_name(checked.format(name=file.stem)))
    file.rename(file.with_name(packed.format(name=file.stem)))
    assert read(dumps) == WHOLE


def test_D15_a_second_download_that_says_otherwise_is_named(dumps: Path) -> None:
    file = dumps / monthly("BTCUSDT", MAY)
    other = write_dump(dumps / "again", file.name, [csv_line(MAY, close="7.0")])
    shutil.copy(other, file.with_name(file.stem + " (1).zip"))
    shutil.copy(f"{other}.CHECKSUM", file.with_name(file.stem + " (1).zip.CHECKSUM"))
    shutil.rmtree(dumps / "again")
    with pytest.raises(BadCandle, match=r"2025-05 \(1\)\.zip has close 7\.0.*2025-05\.zip"):
        read(dumps)


@pytest.mark.parametrize("ending", [".part", ".crdownload", ".download"])
def test_D15_an_unfinished_download_is_said_to_be_one(
    dumps: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    newest, middle = dumps / monthly("BTCUSDT", JUNE), dumps / monthly("BTCUSDT", MAY)
    newest.rename(f"{newest}{ending}")
    assert read(dumps)[-1] == dt.date(2025, 5, 31)
    assert f"{newest}{ending} is an unfinished download and left out" in caplog.text
    newest.with_name(newest.name + ending).rename(newest)
    middle.rename(f"{middle}{ending}")
    with pytest.raises(SourceRefused, match=f"{re.escape(middle.name + ending)} is an unfinished download"):
        read(dumps)


@pytest.mark.parametrize("kind", ["pipe", "device", "huge"])
def test_D15_what_is_no_file_of_a_dump_is_refused_and_not_read(dumps: Path, kind: str) -> None:
    file = dumps / monthly("BTCUSDT", MAY)
    if kind == "huge":
        with file.open("r+b") as handle:
            handle.truncate(2**40)
    else:
        file.unlink()
        os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    with pytest.raises(SourceRefused, match=rf"{re.escape(file.name)}: no dump"):
        read(dumps)


@pytest.mark.parametrize("inside", ["futures", "futures/um", "futures/cm/monthly", "futures/um/klines"])
def test_D15_a_folder_of_futures_is_refused_wherever_it_is_entered(
    dumps: Path, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dumps / inside).mkdir(parents=True)
    (dumps / "spot").rename(dumps / inside / "monthly")
    (dumps / "link").symlink_to(dumps / inside)
    monkeypatch.chdir(dumps / inside)
    for location in (dumps / inside, dumps / "link", "."):
        with pytest.raises(ConfigurationError, match="holds futures"):
            read(location)


def test_D15_futures_below_another_folder_are_left_out(dumps: Path) -> None:
    (dumps / "spot").rename(dumps / "um")
    with pytest.raises(ConfigurationError, match="no dumps of BTCUSDT"):
        Archive(str(dumps)).now()


def test_D15_a_file_in_the_place_of_a_folder_is_said_to_be_one(dumps: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a file; name the folder that it lies in"):
        read(dumps / monthly("BTCUSDT", MAY))


@given(st.binary(max_size=300))
def test_D15_any_bytes_state_a_hash_or_none(content: bytes) -> None:
    found = stated_sha256(content, "a.zip")
    assert found is None or (len(found) == 64 and found in content.decode("utf-8", "replace").lower())


@pytest.mark.parametrize("inside", ["", "spot", "spot/monthly/klines", "spot/monthly/klines/BTCUSDT/1d"])
def test_D15_the_folder_above_or_below_the_right_one_does(dumps: Path, inside: str) -> None:
    assert read(dumps / inside) == WHOLE
    above = dumps.parent / f"{dumps.name}-above"
    shutil.move(dumps, above / "binance" / "data")
    assert read(above) == WHOLE


def test_D15_range_folders_of_the_download_script(dumps: Path) -> None:
    folder = dumps / "spot/monthly/klines/BTCUSDT/1d"
    for place in ("2017-08-17_2025-05-31", "2025-04-01_2025-06-30"):
        (folder / place).mkdir()
    for file in list(folder.glob("*.zip*")):
        copies = ["2017-08-17_2025-05-31"] * ("2025-06" not in file.name) + ["2025-04-01_2025-06-30"]
        for place in copies:
            shutil.copy(file, folder / place)
        file.unlink()
    assert read(dumps) == WHOLE


def test_D15_an_unpacked_file_is_said_to_be_one(dumps: Path) -> None:
    file = dumps / monthly("BTCUSDT", MAY)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(file.parent)
    assert read(dumps) == WHOLE, "beside its zip file it is harmless"
    file.unlink()
    with pytest.raises(SourceRefused, match=r"2025-05\.csv is unpacked: only zip files are verified"):
        read(dumps)


def test_D15_other_markets_and_pairs_in_the_same_folder_are_left_alone(dumps: Path) -> None:
    for other in ("futures/um/monthly/klines", "spot/monthly/indexPriceKlines"):
        target = dumps / other / "BTCUSDT/1d/BTCUSDT-1d-2025-05.zip"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"not for us")
    assert read(dumps) == WHOLE
    with pytest.raises(ConfigurationError, match="holds futures"):
        Archive(str(dumps / "futures/um/monthly/klines"))


def test_a_link_that_leads_back_is_followed_once(dumps: Path) -> None:
    (dumps / "spot/again").symlink_to(dumps, target_is_directory=True)
    assert read(dumps) == WHOLE


def test_the_first_candle_is_that_of_the_oldest_file(dumps: Path, exchange: Exchange) -> None:
    write_month(dumps, APRIL, *days(APRIL, dt.date(2025, 4, 11)))
    assert Archive(str(dumps)).first_day("BTCUSDT") == dt.date(2025, 4, 11)
    exchange.files |= {
        f"/{file.relative_to(dumps).as_posix()}": file.read_bytes()
        for file in dumps.rglob("*")
        if file.is_file()
    }
    assert Archive(exchange.url).first_day("BTCUSDT") == dt.date(2025, 4, 11)
    assert len(exchange.requests) < 200
    day = TODAY - 3 * DAY
    recent = {f"/{daily('ETHUSDT', d)}.CHECKSUM": b"" for d in days(day, TODAY)}
    exchange.files |= recent
    assert Archive(exchange.url).first_day("ETHUSDT") == day, "a pair that was listed this month"
    write_day(dumps, dt.date(2025, 3, 30))
    assert Archive(str(dumps)).first_day("BTCUSDT") == dt.date(2025, 3, 30)
    assert Archive(str(dumps)).first_day("ETHUSDT") is None
