"""`btc doctor` says what is wrong within ten seconds whatever is down, and its exit code tells the truth."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cli_fixture import RunBtc
from exchange import Exchange, hang
from table_rows import fill
from tiny_vintage import write_vintage

from btc_assets.contracts import VINTAGES_IN_FORCE
from btc_assets.market.calendar import DAY, days, last_closed_day
from btc_assets.storage.delta.store import DeltaTables
from btc_assets.storage.registry.folder import FolderRegistry
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.vocabulary import NETWORKS

YESTERDAY = last_closed_day(dt.datetime.now(dt.UTC))
SECONDS = 12.0
"""Ten for the examinations, two for the interpreter to start on a busy machine."""


@pytest.fixture
def market(exchange: Exchange) -> dict[str, str]:
    """Settings that point at an exchange on loopback whose clock is right."""
    exchange.clock = dt.datetime.now(dt.UTC)
    exchange.list_market(YESTERDAY - 20 * DAY, YESTERDAY + DAY)
    return {"BTC_SOURCE": "binance", "BTC_BINANCE_URL": exchange.url}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of real data with a vintage of each network and no rows yet."""
    root = tmp_path / "data" / "real"
    for kind in NETWORKS:
        folder = tmp_path / "scratch" / kind
        write_vintage(folder, kind, YESTERDAY - 30 * DAY)
        FolderRegistry(str(root)).publish(kind, VintageId(YESTERDAY - 30 * DAY), folder)
    return root


def up_to(root: Path, last: dt.date, **more: Any) -> None:
    fill(DeltaTables(str(root)), list(days(YESTERDAY - 20 * DAY, last + DAY)), **more)


def test_everything_there_and_fresh_is_exit_code_0(
    btc: RunBtc, root: Path, market: dict[str, str], exchange: Exchange
) -> None:
    up_to(root, YESTERDAY)
    result = btc("doctor", **market)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"the newest closed candle offered is that of {YESTERDAY}" in result.stdout


def test_two_days_behind_is_exit_code_2_and_names_the_days(
    btc: RunBtc, root: Path, market: dict[str, str]
) -> None:
    up_to(root, YESTERDAY - 3 * DAY)
    result = btc("doctor", "--json", **market)
    said = json.loads(result.stdout)
    assert (result.returncode, said["exit_code"]) == (2, 2)
    (found,) = (f for f in said["findings"] if f["name"] == "days")
    assert found["state"] == "late"
    assert f"{YESTERDAY - 2 * DAY}" in found["detail"]
    assert found["measured"] >= 2


def test_an_old_day_alone_is_not_fresh(btc: RunBtc, root: Path, market: dict[str, str]) -> None:
    fill(DeltaTables(str(root)), [dt.date(2020, 1, 1)])
    assert btc("doctor", **market).returncode == 2


def test_a_source_that_hangs_is_exit_code_1_in_time_and_hides_nothing(
    btc: RunBtc, root: Path, market: dict[str, str], exchange: Exchange
) -> None:
    up_to(root, YESTERDAY)
    exchange.spoil(hang, times=100)
    began = time.monotonic()
    result = btc("doctor", **market)
    assert time.monotonic() - began < SECONDS
    assert result.returncode == 1
    assert "broken  source: " in result.stdout
    assert "ok      days: " in result.stdout


def test_a_source_that_is_down_is_one_sentence(btc: RunBtc, root: Path) -> None:
    up_to(root, YESTERDAY)
    result = btc("doctor", BTC_SOURCE="binance", BTC_BINANCE_URL="http://127.0.0.1:9")
    assert result.returncode == 1
    line = next(line for line in result.stdout.splitlines() if "source:" in line)
    assert "object at 0x" not in line
    assert result.stderr == ""


def test_a_wrong_clock_is_broken(btc: RunBtc, root: Path, market: dict[str, str], exchange: Exchange) -> None:
    up_to(root, YESTERDAY)
    exchange.clock += dt.timedelta(hours=2)
    result = btc("doctor", **market)
    assert result.returncode == 1
    assert "set this machine's clock" in result.stdout


def test_an_exchange_that_stopped_offering_candles_is_late(
    btc: RunBtc, root: Path, market: dict[str, str], exchange: Exchange
) -> None:
    up_to(root, YESTERDAY)
    for day in list(exchange.rows)[-4:]:
        del exchange.rows[day]
    result = btc("doctor", **market)
    assert result.returncode == 2
    assert "late    offered_candle: " in result.stdout


def test_a_folder_of_another_pair_is_named(btc: RunBtc, root: Path, market: dict[str, str]) -> None:
    up_to(root, YESTERDAY, symbol="ETHUSDT")
    result = btc("doctor", **market)
    assert result.returncode == 1
    assert "ETHUSDT" in result.stdout
    assert "BTCUSDT" in result.stdout


def test_models_that_were_never_fitted_are_not_called_lost(
    btc: RunBtc, tmp_path: Path, market: dict[str, str]
) -> None:
    DeltaTables(str(tmp_path / "data" / "real")).upsert(VINTAGES_IN_FORCE, VINTAGES_IN_FORCE.empty())
    said = btc("doctor", **market).stdout
    assert "no mlp vintage in the registry; run `btc up` or `btc backfill`" in said
