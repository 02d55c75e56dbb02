"""Page, check, command and API say the same of the same outcomes."""

from __future__ import annotations

import datetime as dt
import json
import re
import tempfile

import dash_data
import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plotly.utils import PlotlyJSONEncoder

from btc_assets.cli.backtest import score_table
from btc_assets.contracts import FORECAST_SCORES, MODELS
from btc_assets.defs.checks.forecasting import calibrated, recent_scores
from btc_assets.market.calendar import DAY, FIRST_DAY
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables
from btc_dash.app import create_app
from btc_dash.data.context import Context, open_context
from btc_dash.data.query import RecordQuestion
from btc_dash.pages import track_record

NEWEST = dash_data.NEWEST
WORDS = {"too few to tell": "too few to tell", "equal by design": "the same as", "no better": "no better",
         "better": "better", "worse": "worse"}  # fmt: skip
DRIFT = {"too few to tell": "Too few recent", "within chance": "Within chance", "drifted": "Drifted"}


def outcomes(days: int, horizon: int, inside: float, loss: float, seed: int) -> pl.DataFrame:
    """Made-up scores of every model and of the rivals on the last ``days`` targets."""
    rng = np.random.default_rng(seed)
    targets = [NEWEST - back * DAY for back in range(days - 1, -1, -1)]
    walk, hit = 1 + 0.3 * rng.random(days), rng.random(days) < inside
    sound = {f"inside_{p}": rng.random(days) < p / 100 for p in (50, 90, 95)}
    frames = []
    for model in (*MODELS, "random_walk", "mixture_walk"):
        losses = walk if model.endswith("walk") else walk * loss * (1 + 0.1 * rng.standard_normal(days))
        frames.append(
            pl.DataFrame(
                {name: np.ones(days) for name, kind in FORECAST_SCORES.schema.items() if kind.is_numeric()}
                | {
                    "symbol": dash_data.SYMBOL, "model": model, "horizon": horizon, "target_date": targets,
                    "origin_date": [day - horizon * DAY for day in targets], "inside_80": hit, **sound,
                    "vintage": dt.date(2020, 1, 1), "issued_at": dash_data.NOW, "live": False, "pit": 0.5,
                    "pinball": losses, "pinball_random_walk": walk,
                },
                schema_overrides=dict(FORECAST_SCORES.schema),
            ).select(FORECAST_SCORES.schema.names())
        )  # fmt: skip
    return pl.concat(frames)


@settings(max_examples=15)
@given(
    days=st.integers(5, 200),
    horizon=st.sampled_from([1, 3]),
    inside=st.sampled_from([0.5, 0.8, 1.0]),
    loss=st.sampled_from([0.8, 1.0, 1.03, 1.3]),
    seed=st.integers(0, 9),
    since=st.sampled_from([0, 120]),
)
@example(days=150, horizon=1, inside=0.8, loss=1.0, seed=0, since=120)
def test_page_check_command_and_api_say_the_same_word(
    days: int, horizon: int, inside: float, loss: float, seed: int, since: int
) -> None:
    """About drift, and better or worse than the random walk, ``since`` days after the newest score."""
    with tempfile.TemporaryDirectory() as root:
        place = {"data_dir": root, "source": "archive"}
        chosen = load({}, **place)
        tables = DeltaTables(chosen.root)
        tables.upsert(dash_data.RAW_KLINES, dash_data.klines(count=220))
        tables.upsert(FORECAST_SCORES, outcomes(days, horizon, inside, loss, seed))
        context = open_context(chosen)
        api = create_app(context=context).server.test_client()
        rows = api.get(f"/api/v1/scores?days={horizon}").get_json()["scores"]
        pages = {m: _page(context, m, horizon) for m in MODELS}
        lines = score_table(chosen, FIRST_DAY, dash_data.TODAY).splitlines()
        now = dash_data.TODAY + since * DAY
        check, whole = (calibrated(recent_scores(tables, now, each)) for each in (False, True))
        assert check == whole
    answers = {row["model"]: row for row in rows}
    for model, page in pages.items():
        better, drift = answers[model]["against_random_walk"], answers[model]["drift"]
        assert re.search(rf"ranges: ([\d.]+\s% )?{WORDS[better]}", page)
        assert DRIFT[drift] in page
        (line,) = (line for line in lines if line.startswith(model))
        assert re.search(rf"   {drift} +{better}", line) or horizon > 1
        assert better in line
    drifted = any(answers[model]["drift"] == "drifted" for model in MODELS)
    assert check.passed is not (drifted and horizon == 1)


def _page(context: Context, model: str, horizon: int) -> str:
    parts = track_record.body(context, RecordQuestion(days=horizon, model=model))
    return json.dumps(parts, cls=PlotlyJSONEncoder, ensure_ascii=False)
