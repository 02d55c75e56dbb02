"""Fit one vintage: train, export, verify the export, and write the complete model folder or nothing."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from btc_assets import __version__
from btc_assets.contracts import HORIZONS, LEVELS
from btc_assets.errors import FitFailed
from btc_assets.market.calendar import DAY
from btc_assets.modeling import networks, tf_memory
from btc_assets.modeling.anchor import TRAINED_HORIZONS, Anchors
from btc_assets.modeling.compatibility import of_this_code
from btc_assets.modeling.history import Floats, History, history
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.keras_file import save_keras
from btc_assets.modeling.keras_settings import import_tensorflow
from btc_assets.modeling.model_card import write_card
from btc_assets.modeling.onnx_export import INPUT, to_onnx
from btc_assets.modeling.samples import Samples, data_digest, samples
from btc_assets.statistics.metrics import coverage, pinball
from btc_assets.storage.registry.manifest import write_manifest

SEED = 20170817
"""The seed of every fit: the networks within a vintage differ, vintages differ by their data alone."""

TOLERANCE = 1e-5
"""Largest difference between Keras and ONNX, in ln of a factor, that a vintage may have."""

MODEL_KERAS, MODEL_ONNX = "model.keras", "model.onnx"


def fit(
    kind: str,
    klines: pl.DataFrame,
    features: pl.DataFrame,
    cutoff: dt.date,
    hyperparameters: HyperParameters,
    folder: Path,
    anchors: Anchors | None = None,
) -> None:
    """Fit ``kind`` on targets up to ``cutoff`` and write its model folder.

    ``model.keras``, ``model.onnx`` (verified against it), ``card.md`` with pictures, ``manifest.json``.
    The same candles, hyper-parameters and library versions give the same bytes, on the same processor.

    Args:
        kind: "mlp" or "lstm".
        klines: RAW_KLINES of one symbol; rows after ``cutoff`` are not read.
        features: ENGINEERED_FEATURES of it, likewise.
        cutoff: the last day whose close may be a target.
        hyperparameters: of this kind.
        folder: where to write; created, and must not exist or be empty.
        anchors: shared between fits on the same candles, to compute each anchor once.

    Raises:
        NotEnoughHistory: too few candles before ``cutoff``.
        FitFailed: the loss or an output is not finite, or the export differs; ``folder`` is gone then.
    """
    if hyperparameters.kind != kind:
        raise FitFailed(f"hyper-parameters of {hyperparameters.kind} cannot fit {kind}")
    klines = klines.filter(pl.col("date") <= cutoff)
    if anchors is None:
        anchors = Anchors(history(klines, features=features))
    data = samples(anchors, features, cutoff, hyperparameters.window, kind)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FitFailed(f"{folder} is not empty; a vintage is written to a folder of its own")
    try:
        trained = train(data, hyperparameters)
        difference = _export(trained, data, hyperparameters, folder)
        metrics = _metrics(trained, data) | {"export_difference": difference}
        facts = _facts(anchors.history, data, hyperparameters, cutoff) | {"metrics": metrics}
        write_card(folder, facts, trained.losses, calibration(trained.predict(data), data))
        write_manifest(folder, facts)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network: the averaged Keras model, its scaler, and the loss of each epoch.

    That is pinball relative to the anchor's, plus the penalty on large weights.
    """

    model: Any
    mean: Floats
    deviation: Floats
    losses: list[float]

    def predict(self, data: Samples) -> Floats:
        """Compute ln factors [origins, HORIZONS] of the training origins."""
        return np.asarray(self.model(data.inputs.astype(np.float32)), dtype=np.float64)


def train(data: Samples, hyperparameters: HyperParameters) -> Trained:
    """Train all seeds side by side on ``data``; deterministic.

    Raises:
        FitFailed: the loss is not finite.
    """
    import_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    rows = data.inputs.reshape(-1, data.inputs.shape[-1])
    mean, deviation = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    with tf_memory.released():
        weights, losses = _learn(data, hyperparameters, mean, deviation)
    if not np.isfinite(losses).all():
        raise FitFailed(
            f"{hyperparameters.kind}: the training loss became {losses[-1]} (learning rate, data?)"
        )
    keras.backend.clear_session()
    averaged = networks.build(hyperparameters, mean, deviation, SEED)
    averaged.set_weights(weights)
    return Trained(averaged, mean, deviation, losses)


def _learn(
    data: Samples, hyperparameters: HyperParameters, mean: Floats, deviation: Floats
) -> tuple[list[Floats], list[float]]:
    """Return the weights of all seeds after the last epoch, and the loss of each epoch."""
    import keras

    keras.backend.clear_session()  # layers are numbered from here, so that files do not differ by it
    keras.utils.set_random_seed(SEED)
    model = networks.build(hyperparameters, mean, deviation, SEED, training=True)
    steps = hyperparameters.epochs * -(-len(data) // hyperparameters.batch)
    rate = keras.optimizers.schedules.CosineDecay(hyperparameters.learning_rate, steps)
    penalised = [layer.trainable_weights[0] for layer in model.layers if layer.trainable_weights]
    loss = _loss(hyperparameters.l2, penalised)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss=loss, jit_compile=False)
    outcome = model.fit(
        data.inputs.astype(np.float32),
        _packed(data),
        batch_size=hyperparameters.batch,
        epochs=hyperparameters.epochs,
        shuffle=True,
        verbose=0,
    )
    return model.get_weights(), [float(loss) for loss in outcome.history["loss"]]


def _loss(l2: float, penalised: list[Any]) -> Any:
    """Pinball loss of the stretched anchor, relative to the anchor's own; each seed is scored alone."""
    from keras import ops

    levels = ops.convert_to_tensor(np.array(LEVELS, dtype=np.float32))
    columns = ops.convert_to_tensor((TRAINED_HORIZONS - 1).astype(np.int32))

    def loss(packed: Any, log_factors: Any) -> Any:
        outcome, weight, quantiles = packed[..., 0], packed[..., 1], packed[..., 2:]
        factors = ops.exp(ops.take(log_factors, columns, axis=2))
        error = outcome[:, None, :, None] - quantiles[:, None] * factors[..., None]
        pinballs = ops.mean(ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)
        fit = ops.sum(pinballs * weight[:, None, :]) / ops.maximum(ops.sum(ops.sign(weight)), 1.0)
        penalty = sum(ops.sum(ops.square(kernel)) for kernel in penalised)
        return (fit + l2 * penalty) / log_factors.shape[1]

    return loss


def _packed(data: Samples) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Pack outcome, weight and anchor of each origin and horizon in one array [origins, horizons, 23]."""
    parts = [data.outcomes[..., None], data.weights[..., None], data.anchors]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _export(trained: Trained, data: Samples, hp: HyperParameters, folder: Path) -> float:
    """Write both model files; return the largest difference between them on up to 200 origins."""
    import onnxruntime

    save_keras(trained.model, folder / MODEL_KERAS)
    weights = {layer.name: layer.get_weights() for layer in trained.model.layers if layer.weights}
    graph = to_onnx(weights, hp, trained.mean, trained.deviation)
    (folder / MODEL_ONNX).write_bytes(graph)
    rows = np.linspace(0, len(data) - 1, min(200, len(data))).astype(int)
    inputs = data.inputs[rows].astype(np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    there = session.run(None, {INPUT: inputs})[0]
    here = np.asarray(trained.model(inputs))
    difference = float(np.abs(here - there).max())
    if not difference < TOLERANCE:
        raise FitFailed(f"{hp.kind}: ONNX differs from Keras by {difference} (limit {TOLERANCE})")
    if there.shape != (len(rows), HORIZONS):
        raise FitFailed(f"{hp.kind}: the export gives {there.shape}, not {(len(rows), HORIZONS)}")
    return difference


def stretched(log_factors: Floats, data: Samples) -> Floats:
    """Multiply the anchors by the factors at the trained horizons [origins, trained horizons, 21]."""
    return np.asarray(data.anchors * np.exp(log_factors[:, TRAINED_HORIZONS - 1])[..., None])


def calibration(log_factors: Floats, data: Samples) -> Floats:
    """Compute the share of known training outcomes below each of the 21 quantiles [21]."""
    below = data.outcomes[..., None] < stretched(log_factors, data)
    return np.asarray(below[data.weights > 0].mean(axis=0))


def _metrics(trained: Trained, data: Samples) -> dict[str, float]:
    """Compute in-sample numbers: loss relative to the anchor at 1 day, and over all horizons; coverage."""
    quantiles = stretched(trained.predict(data), data)
    relative = (pinball(quantiles, data.outcomes) * data.weights).sum(axis=0) / (data.weights > 0).sum(axis=0)
    known = data.weights > 0
    return {
        "train_loss_h1": float(relative[0]),
        "train_loss": float(relative.mean()),
        "train_coverage_80": float(coverage(quantiles[known], data.outcomes[known], 0.8)),
        "origins": float(len(data)),
    }


def _facts(h: History, data: Samples, hp: HyperParameters, cutoff: dt.date) -> dict[str, Any]:
    """Return the manifest's fields beside files and metrics; none depends on when they were written."""
    import keras
    import tensorflow as tf

    return {
        "kind": hp.kind,
        "symbol": h.symbol,
        "cutoff": str(cutoff),
        "seed": SEED,
        "seeds": hp.seeds,
        "hyperparameters": hp.as_dict(),
        **of_this_code(),
        "package": __version__,
        "libraries": {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__},
        "data_sha256": data_digest(h, cutoff),
        "first_origin": str(data.origins[0]),
        "last_target": str(min(cutoff, data.origins[-1] + int(TRAINED_HORIZONS.max()) * DAY)),
    }
