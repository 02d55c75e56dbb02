from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, bars_of, candles, features_of
from tiny_vintage import write_vintage

from btc_assets.contracts import MODELS, NETWORKS
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import quantiles
from btc_assets.modeling.inference import Origin, Predictor, at_origin
from btc_assets.modeling.width_parts import PARTS, log_width, width_parts
from btc_assets.series import BARS, CANDLES, IMPLIED

KLINES = candles(1300)
ORIGIN = FIRST + dt.timedelta(days=1200)
STATE = at_origin(KLINES, features_of(KLINES), ORIGIN)


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    folder: Path = tmp_path_factory.mktemp("vintages")
    made = {}
    for kind in NETWORKS:
        write_vintage(folder / kind, kind, ORIGIN - dt.timedelta(days=10))
        made[kind] = Predictor.open(folder / kind)
    return made


@pytest.mark.parametrize("model", MODELS)
def test_the_parts_sum_to_the_width_of_the_forecast(model: str, predictors: dict[str, Predictor]) -> None:
    parts = width_parts(STATE, predictors, model)
    assert tuple(parts) == PARTS
    prices = quantiles(STATE, predictors)[model]
    assert np.sum(list(parts.values()), axis=0) == pytest.approx(log_width(np.log(prices)), abs=1e-9)


def test_without_4_hour_candles_these_add_nothing(predictors: dict[str, Predictor]) -> None:
    bare = at_origin(KLINES, engineer({CANDLES.name: KLINES}), ORIGIN)
    parts = width_parts(bare, predictors, "ensemble")
    assert np.abs(parts["4-hour candles"]).max() < 1e-12
    assert np.abs(width_parts(STATE, predictors, "ensemble")["4-hour candles"]).max() > 1e-3


def test_implied_volatility_is_a_part_and_the_parts_still_sum(predictors: dict[str, Predictor]) -> None:
    days = KLINES.filter(pl.col("date") > ORIGIN - dt.timedelta(days=600))
    width = (days["high"] / days["low"]).log() * 1000
    values = days.with_columns(volatility=width).select(IMPLIED.newest.schema.names())
    series = {CANDLES.name: KLINES, BARS.name: bars_of(KLINES), IMPLIED.name: values}
    told = at_origin(KLINES, engineer(series), ORIGIN)
    parts = width_parts(told, predictors, "ensemble")
    assert np.abs(parts["options"][0]) > 1e-3
    assert not width_parts(STATE, predictors, "ensemble")["options"].any()
    prices = quantiles(told, predictors)["ensemble"]
    assert np.sum(list(parts.values()), axis=0) == pytest.approx(log_width(np.log(prices)), abs=1e-9)


def test_a_network_that_is_no_member_adds_nothing(predictors: dict[str, Predictor]) -> None:
    assert not width_parts(STATE, predictors, "mlp")["lstm"].any()


def test_a_wild_day_widens_the_next_day_most(predictors: dict[str, Predictor]) -> None:
    wild = KLINES.with_columns(
        high=pl.when(pl.col("date") == ORIGIN).then(pl.col("high") * 1.3).otherwise(pl.col("high"))
    )
    state: Origin = at_origin(wild, engineer({CANDLES.name: wild, BARS.name: bars_of(wild)}), ORIGIN)
    more = (
        width_parts(state, predictors, "ensemble")["day"] - width_parts(STATE, predictors, "ensemble")["day"]
    )
    assert more[0] > 0.05
    assert more[0] > more[29] > 0
