from __future__ import annotations

from pathlib import Path

import pages_data
import polars as pl
import pytest

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.storage.delta.store import DeltaTables
from btc_dash.data import calibration
from btc_dash.data.cache import Reader
from btc_dash.data.context import Site


def test_the_line_is_the_share_of_recent_prices_that_ended_inside(site: Site) -> None:
    mine = site.reader.read(FORECAST_SCORES).filter(model="ensemble", horizon=1).sort("target_date")
    path = calibration.over_time(site.reader, "ensemble", 1)
    assert path["target_date"].to_list() == mine["target_date"].to_list()[calibration.FEWEST - 1 :]
    assert path["share"][0] == pytest.approx(mine["inside_80"].head(calibration.FEWEST).mean())
    assert path["share"][-1] == pytest.approx(mine["inside_80"].tail(calibration.RECENT).mean())
    assert path["count"][-1] == mine.height


def test_chance_allows_less_as_targets_come_in_and_more_where_they_overlap(site: Site) -> None:
    near, far = (
        calibration.over_time(site.reader, "ensemble", 1),
        calibration.over_time(site.reader, "ensemble", 30),
    )
    assert (near["low"].diff().drop_nulls() >= 0).all()
    assert far["low"][-1] < near["low"][-1] < 0.8 < near["high"][-1] <= far["high"][-1] <= 1


def test_too_few_targets_say_nothing(site: Site) -> None:
    path = calibration.over_time(site.reader, "ensemble", 59)
    assert path.is_empty()
    assert calibration.latest(path) is None


@pytest.mark.parametrize(("inside", "drifted"), [(0.8, False), (0.5, True), (1.0, True)])
def test_ranges_that_hold_too_rarely_or_too_often_are_called_drift(
    site: Site, tmp_path: Path, inside: float, drifted: bool
) -> None:
    scores = site.reader.read(FORECAST_SCORES).filter(model="mlp", horizon=1).sort("target_date")
    holds = pl.int_range(pl.len()) % 10 < round(10 * inside)
    tables = DeltaTables(str(tmp_path))
    tables.upsert(FORECAST_SCORES, scores.with_columns(inside_80=holds))
    tables.upsert(pages_data.RAW_KLINES, pages_data.klines(count=90))
    latest = calibration.latest(calibration.over_time(Reader(tables, pages_data.SYMBOL), "mlp", 1))
    assert latest is not None
    count, share, verdict = latest
    assert count == scores.height
    assert share == pytest.approx(inside, abs=0.02)
    assert verdict is drifted
