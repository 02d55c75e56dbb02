from __future__ import annotations

import pytest

from btc_assets.contracts import FORECAST_SCORES
from btc_assets.scoring.drift import FEWEST, RECENT
from btc_dash.data import track_record
from btc_dash.data.context import Context


def test_the_line_is_the_share_of_recent_prices_that_ended_inside(context: Context) -> None:
    mine = context.cache.read(FORECAST_SCORES).filter(model="ensemble", horizon=1).sort("target_date")
    path = track_record.coverage_over_time(context.cache, "ensemble", 1)
    assert path["target_date"].to_list() == mine["target_date"].to_list()[FEWEST - 1 :]
    assert path["share"][0] == pytest.approx(mine["inside_80"].head(FEWEST).mean())
    assert path["share"][-1] == pytest.approx(mine["inside_80"].tail(RECENT).mean())
    assert path["count"][-1] == mine.height


def test_chance_allows_more_where_targets_overlap(context: Context) -> None:
    near, far = (track_record.coverage_over_time(context.cache, "ensemble", h) for h in (1, 5))
    assert far["low"][-1] < near["low"][-1] < 0.8 < near["high"][-1] <= far["high"][-1] <= 1


def test_too_few_targets_say_nothing(context: Context) -> None:
    assert track_record.coverage_over_time(context.cache, "ensemble", 59).is_empty()
    assert track_record.drift(context.cache, "ensemble", 59).verdict == "too few to tell"
