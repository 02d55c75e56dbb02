"""A file system that lacks what a store needs is named at once, with what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_fixture import RunBtc
from poor_file_system import without

DAY = ("backfill", "--from", "2017-08-17", "--to", "2017-08-17", "--assets", "raw_klines")


def test_E4_no_hard_links_is_one_sentence_without_retries(btc: RunBtc, tmp_path: Path) -> None:
    began = time.monotonic()
    result = btc(*DAY, BTC_SOURCE="simulated", **without("LINKS", tmp_path))
    assert result.returncode == 1
    assert "has no hard links (Operation not permitted)" in result.stderr
    assert "set BTC_DATA_DIR to a folder on another" in result.stderr
    assert "Traceback" not in result.stderr
    assert time.monotonic() - began < 120, "a retry waits for 30 s and more"


@pytest.mark.parametrize("command", [DAY, ("up", "--once")], ids=["backfill", "up"])
def test_E4_no_locks_is_one_sentence(btc: RunBtc, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = btc(*command, BTC_SOURCE="simulated", **without("LOCKS", tmp_path))
    assert result.returncode == 1
    assert "has no file locks (No locks available)" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_E4_a_backfill_that_waits_for_its_source_ends_soon_after_sigterm(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
    mine = {"BTC_SOURCE": "binance", "BTC_BINANCE_URL": "http://127.0.0.1:9", "BTC_DATA_DIR": str(tmp_path)}
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "btc_assets.cli", *DAY], env={**clean, **mine}, stdout=said, stderr=said
        )
    try:
        while "trying again" not in (tmp_path / "said").read_text():
            assert process.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) != 0
        assert "it was interrupted" in (tmp_path / "said").read_text()
    finally:
        process.kill()
        process.wait()
