"""`btc forecast` says of a forecast when it was issued, and whether that was too late to be one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from cli_fixture import RunBtc
from table_rows import put

from btc_assets.contracts import FORECASTS
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.storage.delta.store import DeltaTables

ORIGIN = dt.date(2026, 11, 1)


def test_a_back_filled_forecast_is_said_to_be_one(btc: RunBtc, tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path / "data" / "real"))
    put(tables, FORECASTS, [ORIGIN], model="ensemble")
    put(tables, FORECASTS, [ORIGIN - DAY], model="ensemble", issued_at=closes_at(ORIGIN + DAY))
    live, filled = btc("forecast"), btc("forecast", "--as-of", f"{ORIGIN - DAY}")
    assert "issued 2026-11-02 00:05 UTC" in live.stdout, live.stderr
    assert "back-filled" not in live.stdout
    assert "back-filled on 2026-11-03 00:00 UTC, after its first day had closed" in filled.stdout
    assert json.loads(btc("forecast", "--as-of", f"{ORIGIN - DAY}", "--json").stdout)["backfilled"]
