"""A secret in the environment stays there: it is looked for in everything that commands say and store."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from cli_fixture import RunBtc

from btc_assets.contracts import RAW_KLINES
from btc_assets.modeling.features import ENGINEERED_FEATURES
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables

CANARY = "canary-5d1f7be0"
SECRETS = {
    "BTC_HOPSWORKS_API_KEY": f"{CANARY}-hopsworks",
    "HOPSWORKS_API_KEY": f"{CANARY}-hopsworks-too",
    "AWS_ACCESS_KEY_ID": f"{CANARY}-id",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
}
NOBODY_THERE = {
    "BTC_SOURCE": "binance",
    "BTC_BINANCE_URL": "http://127.0.0.1:9",
    "BTC_SOURCE_DEADLINE": "1",
}
DAY = ("--from", "2017-08-17", "--to", "2017-09-30", "--assets", "raw_klines,engineered_features")


def test_K2_a_canary_is_in_nothing_that_is_said_or_stored(btc: RunBtc, tmp_path: Path) -> None:
    done = [
        btc("settings", **SECRETS),
        btc("backfill", *DAY, BTC_SOURCE="simulated", **SECRETS),
        btc("backfill", *DAY, **NOBODY_THERE, **SECRETS),
        btc("verify", BTC_STORE="hopsworks", BTC_HOPSWORKS_HOST="127.0.0.1:9", **SECRETS),
    ]
    assert done[1].returncode == 0, done[1].stderr
    assert 0 not in [result.returncode for result in done[2:]]
    for result in done:
        assert CANARY not in result.stdout + result.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    tables = DeltaTables(str(tmp_path / "data" / "simulated"))
    for spec in (RAW_KLINES, ENGINEERED_FEATURES):
        rows = tables.read(spec).select(pl.all().cast(pl.String))
        assert not any(CANARY in (text or "") for column in rows for text in column)


def test_K2_a_canary_is_in_no_repr_and_no_error() -> None:
    settings = load({"BTC_HOPSWORKS_API_KEY": CANARY})
    assert CANARY not in repr(settings) + str(settings) + settings.model_dump_json()
