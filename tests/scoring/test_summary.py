from __future__ import annotations

import datetime as dt
import math
import re

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, candles

from btc_assets.contracts import BASELINES, QUANTILES, UTC_US
from btc_assets.errors import ModelError
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.scoring.scores import score
from btc_assets.scoring.summary import (
    against,
    against_overall,
    by_horizon,
    comparison_in_words,
    overall,
    render,
)
from btc_assets.statistics.comparison import Comparison

DAY = dt.timedelta(days=1)
KLINES = candles(660)
ORIGINS = [FIRST + i * DAY for i in range(560, 625)]
ROWS = baseline_forecasts(KLINES, ORIGINS).with_columns(
    pl.lit(dt.datetime(2030, 1, 1, tzinfo=dt.UTC)).cast(UTC_US).alias("issued_at")
)
SCORES = score(ROWS.filter(pl.col("horizon") <= 30), KLINES)
CLOSES = KLINES["close"].to_numpy()
TAU = np.array([0.025, *np.arange(0.05, 0.951, 0.05), 0.975])


def losses(model: str, horizon: int) -> np.ndarray:
    """CRPS of each origin, straight from the forecast rows."""
    rows = ROWS.filter((pl.col("model") == model) & (pl.col("horizon") == horizon)).sort("origin_date")
    out = []
    for origin, row in zip(rows["origin_date"], rows.select(QUANTILES).rows(), strict=True):
        target = (origin - FIRST).days + horizon
        if target < len(CLOSES):
            u = math.log(CLOSES[target]) - np.log(row)
            out.append(2 * np.maximum(TAU * u, (TAU - 1) * u).mean())
    return np.array(out)


def test_ratios_and_means_are_those_of_the_rows_themselves() -> None:
    table = by_horizon(SCORES)
    for model in BASELINES:
        ratios = [losses(model, h).mean() / losses("random_walk", h).mean() for h in range(1, 31)]
        mine = table.filter(pl.col("model") == model).sort("horizon")
        assert mine["crps_ratio"].to_numpy() == pytest.approx(ratios, abs=1e-9)
        mean = overall(SCORES).filter(pl.col("model") == model)["crps_ratio"].item()
        assert mean == pytest.approx(np.mean(ratios), abs=1e-9)


def test_too_few_independent_origins_are_said_with_their_number() -> None:
    """65 origins 30 days ahead are two that do not overlap; they once gave "better (p = 0.000)"."""
    found = against(SCORES, "mixture_walk", "random_walk", 7)
    assert (found.verdict, found.independent) == ("too few to tell", len(losses("mixture_walk", 7)) // 7)
    assert comparison_in_words(against_overall(SCORES, "last_close", "random_walk"), "random_walk") == (
        "too few to tell: 2 independent origins, 10 are needed"
    )


def test_the_test_over_all_horizons_uses_origins_that_have_all() -> None:
    near = SCORES.filter(pl.col("horizon") <= 3)
    scaled, whole = 0.0, len(ORIGINS)
    for h in (1, 2, 3):
        mine, other = losses("last_close", h), losses("random_walk", h)
        scaled = scaled + ((mine - other) / other.mean())[:whole] / 3
    found = against_overall(near, "last_close", "random_walk", 3)
    assert found.change == pytest.approx(np.mean(scaled), rel=0.02)
    assert found.independent == whole // 3
    assert found.verdict == "worse"


def test_last_close_has_a_relative_mae_of_one() -> None:
    mine = by_horizon(SCORES).filter(pl.col("model") == "last_close")
    assert mine["relative_mae"].to_numpy() == pytest.approx(1.0)
    assert mine["cover_80"].to_numpy() == pytest.approx(0.0)


def test_the_text_names_the_reference_and_what_cannot_be_told() -> None:
    text = render(SCORES)
    assert "against mixture_walk" in text
    assert "too few to tell" in next(x for x in text.splitlines() if x.startswith("last_close"))
    assert "reference" in next(x for x in text.splitlines() if x.startswith("mixture_walk"))
    near = render(SCORES.filter(pl.col("horizon") == 1), shown=(1,))
    assert "worse than mixture_walk (p < 0.001)" in next(
        x for x in near.splitlines() if x.startswith("last_close")
    )


def test_far_horizons_stand_apart_with_how_few_outcomes_do_not_overlap() -> None:
    """The page offers 90 days, and tables of scores ended at 30."""
    text = render(score(ROWS.filter(pl.col("horizon").is_in([1, 45, 60])), KLINES))
    near, far = text.split("\n\nFurther ahead")
    assert "h=45" not in near
    line = next(x for x in far.splitlines() if x.startswith("random_walk") and " 45 " in x)
    assert line.split()[2:7] == ["1.0000", *line.split()[3:5], "55", "1"]
    assert "too few to tell: 1 independent origins" in line


def test_a_long_name_leaves_the_columns_where_they_are() -> None:
    named = SCORES.with_columns(pl.col("model").replace("last_close", "x" * 24))
    _, head, _, *lines = render(named).split("\n\n")[0].splitlines()
    assert {len(re.match(r"\S+ +\S+", line)[0]) for line in [head, *lines]} == {26 + 9}  # type: ignore[index]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Comparison("no better", p=0.3), "no better than random_walk (p = 0.300)"),
        (Comparison("better", -0.1, p=0.0001), "better than random_walk (p < 0.001)"),
        (Comparison("worse", 0.1, p=0.003), "worse than random_walk (p = 0.003)"),
        (Comparison("equal by design"), "equal by design to random_walk"),
    ],
)
def test_a_comparison_in_words(found: Comparison, says: str) -> None:
    assert comparison_in_words(found, "random_walk") == says


def test_a_missing_reference_or_no_scores_say_what_to_do() -> None:
    with pytest.raises(ModelError, match="score the baselines"):
        against(SCORES.filter(pl.col("model") == "last_close"), "last_close", "random_walk", 1)
    with pytest.raises(ModelError, match="materialise forecast_scores"):
        render(SCORES.clear())
