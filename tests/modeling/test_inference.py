from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_candles import altered_after, features_of

from btc_assets.contracts import HORIZONS, MEDIAN
from btc_assets.errors import BadModel, NotEnoughHistory
from btc_assets.modeling import inference
from btc_assets.modeling.features import NAMES
from btc_assets.modeling.hyperparameters import MAX_WINDOW
from btc_assets.modeling.inference import Predictor, at_origin, feature_rows
from btc_assets.modeling.samples import SLACK
from btc_assets.storage.registry.manifest import write_manifest

DAY = dt.timedelta(days=1)
Fitted = dict[str, Path]


@pytest.fixture
def vintage(fitted: Fitted, tmp_path: Path) -> Path:
    """A copy of a vintage, to be damaged."""
    return Path(shutil.copytree(fitted["lstm"], tmp_path / "copy"))


def resealed(folder: Path, **changes: object) -> Path:
    """``folder`` with other manifest fields, and hashes that agree with them."""
    fields = json.loads((folder / "manifest.json").read_text()) | changes
    fields.pop("files")
    write_manifest(folder, fields)
    return folder


def prices_of(
    predictor: Predictor, klines: pl.DataFrame, features: pl.DataFrame, origin: dt.date
) -> np.ndarray:
    """The quantiles of the close 1 to 90 days after ``origin``."""
    state = at_origin(klines, features, origin)
    return np.asarray(state.close * np.exp(predictor.returns(state)))


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_a_forecast_is_ordered_positive_and_centred_on_the_last_close(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, kind: str
) -> None:
    prices = prices_of(Predictor.open(fitted[kind]), klines, features, cutoff)
    assert prices.shape == (HORIZONS, 21)
    assert (prices > 0).all()
    assert (np.diff(prices, axis=1) >= 0).all()
    close = klines.filter(pl.col("date") == cutoff)["close"].item()
    assert prices[:, MEDIAN] == pytest.approx(close)


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_M8_altering_every_later_candle_leaves_forecast_bytes_unchanged(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, kind: str
) -> None:
    predictor = Predictor.open(fitted[kind])
    altered = altered_after(klines, cutoff)
    there = prices_of(predictor, altered, features_of(altered), cutoff)
    assert there.tobytes() == prices_of(predictor, klines, features, cutoff).tobytes()


def test_a_candle_that_still_runs_can_be_appended(
    fitted: Fitted, klines: pl.DataFrame, cutoff: dt.date
) -> None:
    known = klines.filter(pl.col("date") <= cutoff)
    running = klines.filter(pl.col("date") == cutoff + DAY).with_columns(pl.col("close") * 1.01)
    longer = known.vstack(running)
    recent = longer.tail(600)
    prices = prices_of(Predictor.open(fitted["lstm"]), longer, features_of(recent), cutoff + DAY)
    assert prices[0, MEDIAN] == pytest.approx(running["close"].item())


def test_a_missing_day_within_the_window_is_passed_over(
    fitted: Fitted, klines: pl.DataFrame, cutoff: dt.date
) -> None:
    gapped = klines.filter(pl.col("date") != cutoff - 2 * DAY)
    prices = prices_of(Predictor.open(fitted["lstm"]), gapped, features_of(gapped), cutoff)
    assert np.isfinite(prices).all()


def test_the_rows_that_a_network_reads_are_those_that_a_query_would_give(
    fitted: Fitted, klines: pl.DataFrame, cutoff: dt.date
) -> None:
    gapped = features_of(klines.filter(pl.col("date") != cutoff - 2 * DAY))
    shuffled = gapped.sample(fraction=1.0, shuffle=True, seed=1)
    rows = feature_rows(shuffled, cutoff)
    wanted = gapped.filter(pl.col("date").is_between(cutoff - (MAX_WINDOW + SLACK - 1) * DAY, cutoff))
    assert rows.days.tolist() == wanted["date"].to_physical().to_list()
    assert rows.values.tobytes() == np.ascontiguousarray(wanted.select(NAMES).to_numpy()).tobytes()
    predictor = Predictor.open(fitted["lstm"])
    mixed = klines.sample(fraction=1.0, shuffle=True, seed=2)
    there = prices_of(predictor, mixed, features_of(mixed).reverse(), cutoff)
    assert there.tobytes() == prices_of(predictor, klines, features_of(klines), cutoff).tobytes()


def test_features_that_are_not_there_are_asked_for(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date
) -> None:
    predictor = Predictor.open(fitted["lstm"])
    for gone in (pl.col("date") < cutoff, pl.col("date") > cutoff - 2 * DAY):
        with pytest.raises(NotEnoughHistory, match="needs the features of 4 days"):
            prices_of(predictor, klines, features.filter(gone), cutoff)
    with pytest.raises(BadModel, match="volatility_7"):
        prices_of(predictor, klines, features.drop("volatility_7"), cutoff)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": ["volatility_1"]}, "made for features"),
        ({"feature_digest": "0"}, "made for feature_digest"),
        ({"code_version": 0}, "made for code_version 0"),
    ],
)
def test_M3_a_vintage_made_for_other_features_or_code_is_refused(
    vintage: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BadModel, match=said):
        Predictor.open(resealed(vintage, **changes))


def test_M3_a_vintage_whose_recipe_cannot_be_read_is_refused(vintage: Path) -> None:
    with pytest.raises(BadModel):
        Predictor.open(resealed(vintage, hyperparameters={"kind": "gru"}))


def test_M4_a_truncated_altered_or_unlisted_file_is_refused(vintage: Path) -> None:
    content = (vintage / "model.onnx").read_bytes()
    (vintage / "model.onnx").write_bytes(content[:-10])
    with pytest.raises(BadModel, match=r"model\.onnx hashes to"):
        Predictor.open(vintage)
    (vintage / "model.onnx").write_bytes(content)
    (vintage / "model.h5").write_bytes(b"x")
    with pytest.raises(BadModel, match=r"model\.h5"):
        Predictor.open(vintage)


def test_M4_another_manifest_than_the_registrys_is_refused(vintage: Path) -> None:
    with pytest.raises(BadModel, match="hashes to"):
        Predictor.open(vintage, "0" * 64)


def test_M4_a_sealed_file_that_is_no_graph_is_refused(vintage: Path) -> None:
    (vintage / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BadModel, match=r"no usable graph|cannot be opened"):
        Predictor.open(resealed(vintage))


def test_inference_imports_no_tensorflow() -> None:
    code = (
        f"import sys, {inference.__name__}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
