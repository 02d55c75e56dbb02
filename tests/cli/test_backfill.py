"""Which assets `btc backfill` is told to materialise."""

from __future__ import annotations

import pytest
from cli_fixture import RunBtc

ONE = ["--from", "2017-08-17", "--to", "2017-08-17"]


@pytest.mark.parametrize(
    "assets",
    [["--assets", "raw_klines,raw_klines_4h"], ["--assets", "raw_klines_4h", "--assets", "raw_klines"]],
    ids=["comma-separated", "repeated"],
)
def test_assets_may_be_listed_or_named_one_after_the_other(btc: RunBtc, assets: list[str]) -> None:
    done = btc("backfill", *ONE, *assets, BTC_SOURCE="simulated")
    assert done.returncode == 0, done.stderr
    assert "materialised raw_klines, raw_klines_4h for 2017-08-17" in done.stdout
