from __future__ import annotations

import dataclasses
import datetime as dt
import gc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from synthetic_candles import FIRST, TINY, altered_after

from btc_assets.contracts import HORIZONS
from btc_assets.errors import FitFailed, NotEnoughHistory
from btc_assets.modeling import training
from btc_assets.modeling.anchor import Anchors
from btc_assets.modeling.features import NAMES
from btc_assets.modeling.history import history
from btc_assets.modeling.samples import samples
from btc_assets.modeling.training import fit, train
from btc_assets.storage.registry.manifest import verify

DAY = dt.timedelta(days=1)
Fitted = dict[str, Path]


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_the_model_folder_is_complete_and_verifies(fitted: Fitted, kind: str, cutoff: dt.date) -> None:
    folder = fitted[kind]
    manifest = verify(folder)
    assert set(manifest["files"]) == {"model.keras", "model.onnx", "card.md", "loss.png", "calibration.png"}
    assert manifest["features"] == list(NAMES)
    assert manifest["cutoff"] == str(cutoff)
    assert manifest["hyperparameters"] == TINY[kind].as_dict()
    assert manifest["metrics"]["export_difference"] < 1e-5
    assert len(manifest["data_sha256"]) == 64
    card = (folder / "card.md").read_text()
    assert str(cutoff) in card
    assert "loss.png" in card


def test_the_same_inputs_give_the_same_bytes(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, tmp_path: Path
) -> None:
    fit("lstm", klines, features, cutoff, TINY["lstm"], tmp_path / "again")
    assert verify(tmp_path / "again") == verify(fitted["lstm"])


def test_M8_altering_every_later_candle_gives_the_same_vintage(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, tmp_path: Path
) -> None:
    later = pl.col("date") > cutoff
    strange = features.with_columns(pl.when(later).then(99.0).otherwise(pl.col(n)).alias(n) for n in NAMES)
    fit("mlp", altered_after(klines, cutoff), strange, cutoff, TINY["mlp"], tmp_path / "altered")
    assert verify(tmp_path / "altered") == verify(fitted["mlp"])


def test_M8_no_outcome_after_the_cutoff_enters_the_loss(
    klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date
) -> None:
    data = samples(Anchors(history(klines, features=features)), features, cutoff, 1, "mlp")
    assert data.origins[-1] == cutoff - DAY
    assert data.weights[-1, 0] > 0
    assert not data.weights[-1, 1:].any()
    assert not data.outcomes[-1, 1:].any()


def test_M1_a_loss_that_is_not_finite_leaves_nothing_behind(
    klines: pl.DataFrame,
    features: pl.DataFrame,
    cutoff: dt.date,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = training._packed

    def poisoned(data: Any) -> Any:
        values = packed(data)
        values[3, 0, 0] = np.nan
        return values

    monkeypatch.setattr(training, "_packed", poisoned)
    with pytest.raises(FitFailed, match="loss became nan"):
        fit("mlp", klines, features, cutoff, TINY["mlp"], tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_an_export_that_differs_from_the_network_is_refused(
    klines: pl.DataFrame,
    features: pl.DataFrame,
    cutoff: dt.date,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    to_onnx = training.to_onnx
    monkeypatch.setattr(training, "to_onnx", lambda w, hp, mean, dev: to_onnx(w, hp, mean + 0.1, dev * 2))
    hyperparameters = dataclasses.replace(TINY["mlp"], epochs=2, learning_rate=0.05)
    with pytest.raises(FitFailed, match="ONNX differs"):
        fit("mlp", klines, features, cutoff, hyperparameters, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_M7_too_few_rows_say_how_many_are_needed(
    klines: pl.DataFrame, features: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(NotEnoughHistory, match="needs 365 usable origins, there are 200"):
        fit("mlp", klines, features, FIRST + 700 * DAY, TINY["mlp"], tmp_path / "early")
    assert not (tmp_path / "early").exists()


def test_a_folder_with_something_in_it_is_left_alone(
    klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(FitFailed, match="not empty"):
        fit("mlp", klines, features, cutoff, TINY["mlp"], tmp_path)
    assert (tmp_path / "precious").exists()


def test_the_keras_file_opens_without_code_of_ours(fitted: Fitted) -> None:
    import keras

    for folder in fitted.values():
        opened = keras.saving.load_model(folder / "model.keras", safe_mode=True, compile=False)
        assert opened.output_shape == (None, HORIZONS)


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_training_starts_at_the_anchor_and_moves_away_from_it(
    fitted: Fitted, klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, kind: str
) -> None:
    assert 0.9 < verify(fitted[kind])["metrics"]["train_loss"] < 1.01
    anchors = Anchors(history(klines, features=features))
    losses = train(samples(anchors, features, cutoff, TINY[kind].window, kind), TINY[kind]).losses
    assert 1.0 < losses[-1] <= losses[0] < 1.2  # with the penalty on weights


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_fits_do_not_pile_up_in_memory(
    klines: pl.DataFrame, features: pl.DataFrame, cutoff: dt.date, kind: str
) -> None:
    data = samples(Anchors(history(klines, features=features)), features, cutoff, TINY[kind].window, kind)
    training.train(data, TINY[kind])
    left = _graphs()
    for _ in range(2):
        training.train(data, TINY[kind])
    assert _graphs() <= left


def _graphs() -> int:
    gc.collect()
    return sum(type(thing).__name__.endswith("FuncGraph") for thing in gc.get_objects())
