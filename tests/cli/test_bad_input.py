"""Every wrong word on the command line gets one sentence that says what, where and what to do."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from candles import csv_line, write_dump
from cli_fixture import RunBtc

TOMORROW = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["backfill", "--from", "2024-02-30", "--to", "2024-03-01"], "--from '2024-02-30' is not a day"),
        (["backfill", "--from", "2024-03-02", "--to", "2024-03-01"], "runs backwards"),
        (["backfill", "--from", "2024-03-01", "--to", TOMORROW], f"--to {TOMORROW} is not over yet"),
        (["backfill", "--from", "2016-01-01", "--to", "2024-03-01"], "before the first candle"),
        (
            ["backfill", "--from", "2024-03-01", "--to", "2024-03-01", "--assets", "raw_kline"],
            "did you mean raw_klines",
        ),
        (["forecast", "--days", "0"], "--days 0: forecasts reach 1 to 90"),
        (["forecast", "--days", "91"], "--days 91"),
        (["forecast", "--model", "lstn"], "did you mean lstm"),
        (["forecast"], "run `btc up`"),
        (["export", "raw_kline", "--out", "x.csv"], "did you mean raw_klines"),
        (["export", "raw_klines", "--out", "x.json"], "must end in .parquet or .csv"),
        (["up", "--source", "binanse"], "did you mean binance"),
        (["migrate", "--from", "local", "--to", "local"], "nothing to copy"),
        (["backtest", "--from", "2024-01-01", "--to", "2023-01-01"], "runs backwards"),
        (["tune"], "materialise"),
    ],
)
def test_a_wrong_argument_is_one_clear_sentence(btc: RunBtc, arguments: list[str], says: str) -> None:
    result = btc(*arguments)
    assert result.returncode != 0
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_K3_an_unknown_setting_names_the_nearest(btc: RunBtc) -> None:
    result = btc("settings", BTC_WEB_PROT="1")
    assert result.returncode == 2
    assert "did you mean BTC_WEB_PORT" in result.stderr


def test_K3_a_bad_value_names_the_variable(btc: RunBtc) -> None:
    result = btc("settings", BTC_WEB_PORT="eighty")
    assert result.returncode == 2
    assert "BTC_WEB_PORT" in result.stderr


def test_K1_K2_a_secret_is_masked_and_never_in_an_error(btc: RunBtc) -> None:
    canary = "canary-7f3a"
    shown = btc("settings", BTC_HOPSWORKS_API_KEY=canary)
    assert canary not in shown.stdout + shown.stderr
    assert "(set)" in shown.stdout


def test_no_network_with_a_named_source_never_falls_back(btc: RunBtc) -> None:
    day = ("--from", "2024-03-01", "--to", "2024-03-01", "--assets", "raw_klines")
    result = btc(
        "backfill",
        *day,
        BTC_SOURCE="binance",
        BTC_BINANCE_URL="http://127.0.0.1:9",
        BTC_SOURCE_DEADLINE="0.2",
    )
    assert result.returncode == 1
    assert "127.0.0.1:9" in result.stderr
    assert "SIMULATED" not in result.stdout + result.stderr


def archive(root: Path) -> dict[str, str]:
    return {"BTC_SOURCE": "archive", "BTC_ARCHIVE": str(root)}


def dump(root: Path, month: int) -> Path:
    lines = [csv_line(dt.date(2018, month, day)) for day in range(1, 29)]
    return write_dump(root, f"spot/monthly/klines/BTCUSDT/1d/BTCUSDT-1d-2018-{month:02}.zip", lines)


RANGE = ("backfill", "--from", "2018-01-05", "--to", "2018-03-05", "--assets", "raw_klines")


def test_D12_a_dump_with_a_bad_checksum_is_refused_and_nothing_is_written(
    btc: RunBtc, tmp_path: Path
) -> None:
    for month in (1, 2, 3):
        file = dump(tmp_path / "dumps", month)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    result = btc(*RANGE, **archive(tmp_path / "dumps"))
    assert result.returncode == 1
    assert "BTCUSDT-1d-2018-03.zip" in result.stderr
    assert ": 0 rows" in btc("export", "raw_klines", "--out", str(tmp_path / "x.csv")).stdout


def test_a_missing_month_is_named(btc: RunBtc, tmp_path: Path) -> None:
    for month in (1, 3):
        dump(tmp_path / "dumps", month)
    result = btc(*RANGE, **archive(tmp_path / "dumps"))
    assert result.returncode == 1
    assert "2018-02" in result.stderr


def test_T3_an_unwritable_folder_is_named_with_the_setting_that_changes_it(
    btc: RunBtc, tmp_path: Path
) -> None:
    """A file stands where the folder should be, which stops root too."""
    (tmp_path / "blocked").write_text("")
    result = btc("up", "--source", "simulated", BTC_DATA_DIR=str(tmp_path / "blocked"))
    assert result.returncode == 1
    assert "BTC_DATA_DIR" in result.stderr
