"""What a network adds to its anchor: its own anchor, scored on the same days, no future seen."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from dash_data import NEWEST, klines
from synthetic_candles import bars_of

from btc_assets.market.calendar import DAY
from btc_assets.modeling.baselines import forecast_rows
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import widening
from btc_assets.modeling.inference import at_origin
from btc_assets.scoring.anchor_gain import YEAR, anchor_gain, last_year, with_anchor
from btc_assets.scoring.scores import score

CANDLES = klines(count=1500)
FEATURES = engineer({"raw_klines": CANDLES, "raw_klines_4h": bars_of(CANDLES)})
ORIGINS = [NEWEST - back * DAY for back in range(60, 0, -1)]


def scored(factor: float = 1.0) -> pl.DataFrame:
    """Scores of a network that multiplies its anchor's log returns by ``factor``."""
    states = [at_origin(CANDLES, FEATURES, day) for day in ORIGINS]
    prices = np.stack([s.close * np.exp(widening(s.anchor * factor)) for s in states])
    rows = forecast_rows("BTCUSDT", ORIGINS, {"mlp": prices}, {"mlp": ORIGINS})
    issued = rows.with_columns(issued_at=pl.lit(CANDLES["ingested_at"][-1]))
    return score(issued, CANDLES)


@pytest.fixture(scope="module")
def plain() -> pl.DataFrame:
    return with_anchor(last_year(scored()), CANDLES, FEATURES)


def test_a_network_that_changes_nothing_adds_nothing(plain: pl.DataFrame) -> None:
    assert plain["pinball_anchor"].to_numpy() == pytest.approx(plain["pinball"].to_numpy(), rel=1e-9)
    found = anchor_gain(plain)
    assert (found.days, found.nearest.verdict, found.mean.verdict) == (
        60,
        "equal by design",
        "equal by design",
    )
    assert not found.adds
    assert not found.whole_year


def test_a_network_that_triples_the_width_is_worse_and_a_better_one_adds(plain: pl.DataFrame) -> None:
    wide = anchor_gain(with_anchor(last_year(scored(3.0)), CANDLES, FEATURES))
    assert (wide.nearest.verdict, wide.adds) == ("worse", False)
    sharper = anchor_gain(plain.with_columns(pinball=0.9 * pl.col("pinball")))
    assert (sharper.nearest.verdict, sharper.adds) == ("better", True)
    assert sharper.nearest.change == pytest.approx(-0.1)
    assert sharper.mean.verdict == "too few to tell"
    assert sharper.mean.independent == 1


def test_candles_after_an_origin_change_nothing_of_its_anchor() -> None:
    rows = last_year(scored())
    early = rows.filter(pl.col("origin_date") + pl.duration(days=pl.col("horizon")) <= ORIGINS[30])
    price = ["open", "high", "low", "close"]
    later = pl.col("date") > ORIGINS[30]
    changed = CANDLES.with_columns(
        pl.when(later).then(3 * pl.col(c)).otherwise(pl.col(c)).alias(c) for c in price
    )
    features = engineer({"raw_klines": changed, "raw_klines_4h": bars_of(changed)})
    before, after = (with_anchor(early, *seen) for seen in ((CANDLES, FEATURES), (changed, features)))
    assert before["pinball_anchor"].to_list() == after["pinball_anchor"].to_list()


def test_only_the_last_year_of_origins_counts() -> None:
    days = [NEWEST - back * DAY for back in range(400, 0, -1)]
    rows = pl.DataFrame({"origin_date": days, "horizon": 1, "close": 1.0, "pinball": 1.0}).with_columns(
        pl.lit(1.0).alias("pinball_random_walk"), model=pl.lit("mlp")
    )
    chosen = last_year(pl.concat([rows, rows.with_columns(horizon=pl.col("horizon") + 30)]))
    assert (chosen.height, chosen["origin_date"][0]) == (YEAR, days[-YEAR])
