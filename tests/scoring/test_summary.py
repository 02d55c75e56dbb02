from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from made_candles import FIRST, candles

from btc_assets.contracts import BASELINES, QUANTILES, UTC_US
from btc_assets.errors import ModelError
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.scoring.scores import score
from btc_assets.scoring.summary import against, by_horizon, overall, render, verdict

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
        mean = overall(SCORES, "random_walk").filter(pl.col("model") == model)["crps_ratio"].item()
        assert mean == pytest.approx(np.mean(ratios), abs=1e-9)


def test_the_test_at_one_horizon_is_that_of_the_scaled_differences() -> None:
    difference = (losses("mixture_walk", 7) - losses("random_walk", 7)) / losses("random_walk", 7).mean()
    e = difference - difference.mean()
    n = len(e)
    g = e @ e / n + sum(2 * (1 - k / 7) * (e[k:] @ e[:-k]) / n for k in range(1, 7))
    t = difference.mean() / math.sqrt(g / n)
    found = against(SCORES, "mixture_walk", "random_walk", 7)
    assert found["statistic"] == pytest.approx(t, abs=1e-9)
    assert found["p"] == pytest.approx(math.erfc(abs(t) / math.sqrt(2)), abs=1e-9)


def test_the_test_over_all_horizons_uses_origins_that_have_all() -> None:
    scaled, whole = 0.0, len(CLOSES) - 560 - 30
    for h in range(1, 31):
        mine, other = losses("last_close", h)[:whole], losses("random_walk", h)[:whole]
        scaled = scaled + (mine - other) / other.mean() / 30
    e = scaled - scaled.mean()
    n = len(e)
    g = e @ e / n + sum(2 * (1 - k / 30) * (e[k:] @ e[:-k]) / n for k in range(1, 30))
    found = overall(SCORES, "random_walk").filter(pl.col("model") == "last_close")
    assert found["statistic"].item() == pytest.approx(scaled.mean() / math.sqrt(g / n), abs=1e-9)


def test_last_close_has_a_relative_mae_of_one() -> None:
    mine = by_horizon(SCORES).filter(pl.col("model") == "last_close")
    assert mine["relative_mae"].to_numpy() == pytest.approx(1.0)
    assert mine["cover_80"].to_numpy() == pytest.approx(0.0)


def test_the_text_says_who_is_no_better() -> None:
    text = render(SCORES)
    assert "against mixture_walk" in text
    assert "worse than mixture_walk" in next(x for x in text.splitlines() if x.startswith("last_close"))
    assert "reference" in next(x for x in text.splitlines() if x.startswith("mixture_walk"))


def test_a_verdict_needs_the_five_percent_level() -> None:
    assert verdict("mlp", "random_walk", -1.0, 0.3) == "no better than random_walk (p = 0.300)"
    assert verdict("mlp", "random_walk", -3.0, 0.003).startswith("better")
    assert verdict("mlp", "random_walk", 3.0, 0.003).startswith("worse")
    assert verdict("mlp", "random_walk", None, None) == "too few origins to tell"


def test_a_missing_reference_or_no_scores_say_what_to_do() -> None:
    with pytest.raises(ModelError, match="score the baselines"):
        against(SCORES.filter(pl.col("model") == "last_close"), "last_close", "random_walk", 1)
    with pytest.raises(ModelError, match="materialise forecast_scores"):
        render(SCORES.clear())
