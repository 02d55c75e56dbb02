"""A series of market data is one entry: the ledger treats a further one like those there are."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from btc_assets.ledger.verification import verify_proof
from btc_assets.series import PROVENANCE, SERIES, Series

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_further_series_is_read_recorded_verified_and_proved_by_one_entry(store, tmp_path: Path) -> None:
    store.issue([dt.date(2024, 1, 10)])
    proof, path = tmp_path / "proof", f"{SUPPORT}{os.pathsep}{Path(__file__).parent}"
    run = [sys.executable, str(SUPPORT / "further_series.py"), str(store.root), str(proof)]
    done = subprocess.run(
        run, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check = [sys.executable, str(proof / "verify_proof.py")]
    assert "All is well" in subprocess.run(check, capture_output=True, text=True, check=False).stdout
    table = proof / "funding_rate.csv.gz"
    text = gzip.decompress(table.read_bytes()).decode()
    table.write_bytes(gzip.compress(text.replace("2024-01-05,0.5", "2024-01-05,0.4").encode()))
    told = subprocess.run(check, capture_output=True, text=True, check=False).stderr
    assert "funding_rate known then" in told


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_the_proof_packs_every_column_of_a_series_as_the_ledger_does(series: Series) -> None:
    kinds = {pl.String: "24s", pl.Float64: "d"}
    for column in series.content:
        packed = verify_proof.CELLS.get(column, ("d", float))[0]
        assert packed == kinds.get(type(series.newest.schema[column]), "q"), column


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_the_tables_of_a_series_differ_by_what_tells_versions_apart(series: Series) -> None:
    newest, superseded = series.newest, series.superseded
    assert (newest.key[0], newest.day, superseded.day) == ("symbol", "date", "date")
    assert superseded.key == (*newest.key, "ingested_at")
    assert superseded.schema.names() == [*newest.schema.names(), "superseded_at"]
    assert set(PROVENANCE) <= set(newest.schema.names())
