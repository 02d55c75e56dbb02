"""A network's page says what it adds to its anchor over a live year, and claims nothing before."""

from __future__ import annotations

import json
from pathlib import Path

import dash_data
import polars as pl
import pytest
from dash_server import context_at
from plotly.utils import PlotlyJSONEncoder

from btc_assets.contracts import BASELINE_FORECASTS, FORECAST_SCORES, FORECASTS
from btc_assets.market.calendar import DAY
from btc_assets.scoring.anchor_gain import YEAR, AnchorGain
from btc_assets.scoring.scores import score
from btc_assets.settings import load
from btc_assets.statistics.comparison import Comparison
from btc_dash.data import anchor_gain
from btc_dash.data.context import Context
from btc_dash.data.query import ModelQuestion
from btc_dash.pages import models
from btc_dash.text.anchor_text import gain_sentences
from btc_dash.text.formatting import SPACE

FEW = AnchorGain(19, Comparison("no better", p=0.4, independent=19), Comparison("too few to tell"))
NOTHING = AnchorGain(YEAR, Comparison("no better", p=0.4), Comparison("worse", 0.01, 0.005, 0.01))
BETTER = AnchorGain(YEAR, Comparison("better", -0.012, 0.004, 0.0001), Comparison("no better", p=0.3))


def test_nothing_is_claimed_before_there_is_a_live_year() -> None:
    assert gain_sentences("mlp", FEW, FEW) == [
        "Whether the MLP adds anything to its anchor is judged by a year of live forecasts: "
        "19 of 365 days are there."
    ]
    _, claim, numbers = gain_sentences("mlp", FEW, BETTER)
    assert claim == "Meanwhile, over the last 365 days of back-filled forecasts it adds to its anchor."
    assert numbers.startswith(f"1 day ahead: 1.2{SPACE}% better than the anchor (p < 0.001);")


def test_a_live_year_without_a_measurable_gain_is_said_plainly() -> None:
    claim, numbers = gain_sentences("lstm", NOTHING, BETTER)
    assert claim == (
        "Over the last 365 days of live forecasts the LSTM adds nothing measurable to its anchor."
    )
    assert "no better than the anchor" in numbers
    assert f"on average: 1.0{SPACE}% worse than the anchor (p = 0.010)." in numbers


def test_the_page_of_a_network_says_it(context: Context) -> None:
    page = json.dumps(models.page(context, ModelQuestion(model="lstm"), {}), cls=PlotlyJSONEncoder)
    assert "What does it add?" in page
    assert (
        "Whether the LSTM adds anything to its anchor is judged by a year of live forecasts: 19 of 365"
        in page
    )


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Four hundred live origins of two networks whose width knows nothing of the last days."""
    folder: Path = tmp_path_factory.mktemp("year")
    tables = dash_data.fill(folder / "real", origins=0)
    candles = dash_data.klines()
    days = [dash_data.NEWEST - back * DAY for back in range(400, 0, -1)]
    issued = dash_data.forecasts(candles, days, ("mlp", "lstm"), live_from=days[0])
    near = issued.filter(pl.col("horizon") <= 30)
    tables.upsert(FORECASTS, issued)
    tables.ensure_table(BASELINE_FORECASTS)
    tables.upsert(FORECAST_SCORES, score(near, candles))
    return context_at(load({}, data_dir=str(folder)))


def test_a_year_of_scores_is_judged_from_the_tables(year: Context) -> None:
    live = anchor_gain.gain(year.cache, "mlp", "live")
    assert (live.days, live.whole_year) == (YEAR, True)
    assert live.nearest.independent == YEAR
    assert live.mean.independent == (YEAR - 29) // 30
    assert live.nearest.verdict in ("no better", "worse")
    none = anchor_gain.gain(year.cache, "mlp", "backfilled")
    assert none.days == 0
    assert "adds nothing measurable" in gain_sentences("mlp", live, none)[0]
