"""Every wrong word on the command line gets one sentence that says what, where and what to do."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from candles import csv_line, write_dump
from cli_fixture import RunBtc

from btc_assets.cli.up import choose_settings
from btc_assets.settings import Settings

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
        (["forecast", "--as-of", "2026-11-01"], "there are no prices yet, either: run `btc up`"),
        (["forecast", "--as-of", ""], "--as-of '' is not a day"),
        (["chance", "above", "1", "--days", "3", "--as-of", ""], "--as-of '' is not a day"),
        (["export", "raw_klines", "--out", "\udcff.csv"], "is not UTF-8"),
        (
            ["up", "--source", "simulated", "--web-port", "3000"],
            "page and Dagster's UI cannot share port 3000",
        ),
        (["forecast", "--days", "x"], "--days x: a whole number is needed"),
        (["up", "--web-port", "99999"], "--web-port 99999: must be at most 65535"),
        (["tune", "--trials", "0"], "--trials 0: must be at least 1"),
        (["export", "raw_klines"], "Missing option '--out'"),
        (["forcast"], "No such command 'forcast'"),
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
    assert result.stderr.strip() == "btc: BTC_WEB_PORT = 'eighty': a whole number is needed"


def test_T3_a_working_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    gone = 'mkdir "$0"; cd "$0"; rmdir "$0"; exec "$1" -m btc_assets.cli forecast'
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BTC_")}
    result = subprocess.run(
        ["sh", "-c", gone, str(tmp_path / "gone"), sys.executable],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.strip() == "btc: the working folder is gone; change into one that there is"


def test_T12_a_slip_in_the_settings_of_dagster_is_named(btc: RunBtc, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for text, says in (("a: [\n", "line 2"), ("- 1\n", "it holds no settings")):
        (tmp_path / "home" / "dagster.yaml").write_text(text)
        result = btc(
            "backfill", "--from", "2024-03-01", "--to", "2024-03-01", DAGSTER_HOME=f"{tmp_path}/home"
        )
        assert result.returncode == 2
        assert says in result.stderr
        assert "dagster.yaml cannot be read" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_the_help_gives_a_flag_no_type(btc: RunBtc) -> None:
    shown = btc("up", "--help").stdout
    assert "<int" in shown
    assert "<bool>" not in shown


def test_a_file_that_exists_is_exported_over_only_when_told(btc: RunBtc, tmp_path: Path) -> None:
    day = ("--from", "2017-08-17", "--to", "2017-08-17")
    assert btc("backfill", *day, "--assets", "raw_klines", BTC_SOURCE="simulated").returncode == 0
    out = tmp_path / "x.csv"
    out.write_text("mine")
    export = ("export", "raw_klines", "--out", str(out))
    refused = btc(*export, BTC_SOURCE="simulated")
    assert refused.returncode == 2
    assert "replace it with --overwrite" in refused.stderr
    assert out.read_text() == "mine"
    assert btc(*export, "--overwrite", BTC_SOURCE="simulated").returncode == 0
    assert "2017-08-17" in out.read_text()
    early = btc("forecast", "--as-of", "2017-08-17", BTC_SOURCE="simulated")
    assert "days of prices before it" in early.stderr, "backfilling such a day cannot work"


def test_an_exchange_out_of_reach_is_one_sentence_in_three_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It took nine lines of connection errors and nine seconds."""
    for name in [name for name in os.environ if name.startswith("BTC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BTC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BTC_BINANCE_URL", "http://127.0.0.1:9")
    choose_settings(None)  # imports
    capsys.readouterr()
    began = time.monotonic()
    assert choose_settings(None).simulated
    assert time.monotonic() - began < 3
    said = capsys.readouterr()
    assert len((said.out + said.err).strip().splitlines()) == 1
    assert "SIMULATED" in said.err


def test_the_table_of_settings_shows_each_name_whole(btc: RunBtc) -> None:
    shown = btc("settings").stdout
    assert [name for name in Settings.model_fields if f"BTC_{name.upper()} " not in shown] == []


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
