"""The two networks in Keras: how far to stretch the random walk's quantiles at each horizon.

Both give ln of a factor for the anchor's quantiles, nothing else: no drift, since the direction of the
price cannot be told from candles, and no free quantiles, so none can cross. The last layer starts at
zero, so training starts at the anchor itself; tanh bounds the factor, and the bound fades with the
horizon, because what is known about volatility fades too. Several seeds are trained side by side as
one model whose weights do not mix, and averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from btc_assets.contracts import HORIZONS
from btc_assets.modeling.history import Floats
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.keras_settings import pin_keras

pin_keras()  # whoever imports Keras here does so afterwards

CLIP = 4.0
"""Standardised features beyond this many deviations count as this many."""

KNOTS = (1, 2, 4, 8, 16, 32, 60, 90)
"""Horizons at which a network decides; between them its output is linear in the log of the horizon."""


def knot_weights() -> Floats:
    """Compute weights [KNOTS, HORIZONS] that spread the knots' outputs over all horizons."""
    log_horizon = np.log(np.arange(1, HORIZONS + 1))
    unit = np.eye(len(KNOTS))
    return np.stack([np.interp(log_horizon, np.log(KNOTS), row) for row in unit])


def bounds(hyperparameters: HyperParameters) -> Floats:
    """Compute the largest |ln factor| at each horizon [HORIZONS]."""
    horizons = np.arange(1, HORIZONS + 1)
    return np.asarray(hyperparameters.bound / (1.0 + (horizons - 1) / hyperparameters.fade))


def build(
    hyperparameters: HyperParameters, mean: Floats, deviation: Floats, seed: int, *, training: bool = False
) -> Any:
    """Build a Keras model from raw features, float32, to ln factors.

    Args:
        hyperparameters: decide kind and size; the input is [batch, features] for the MLP and
            [batch, window, features] for the LSTM.
        mean: of each feature over the training origins; the scaler is part of the model.
        deviation: likewise.
        seed: of the initial weights; each of ``hyperparameters.seeds`` networks gets its own.
        training: keep the seeds apart, giving [batch, seeds, HORIZONS], rather than average them to
            [batch, HORIZONS]. Both forms have the same weights in the same order.
    """
    import keras

    hp = hyperparameters
    shape = (len(mean),) if hp.kind == "mlp" else (hp.window, len(mean))
    inputs = keras.Input(shape, name="features")
    scaler = keras.layers.Normalization(mean=mean, variance=deviation**2, name="scaler")
    scaled = keras.ops.clip(scaler(inputs), -CLIP, CLIP)
    hidden = (_mlp if hp.kind == "mlp" else _lstm)(scaled, hp, training)
    decided = keras.layers.EinsumDense(
        "abc,bcd->abd",
        (hp.seeds, len(KNOTS)),
        bias_axes="bd",
        activation="tanh",
        kernel_initializer="zeros",
        name="knots",
    )(hidden)
    spread = keras.layers.Dense(HORIZONS, use_bias=False, trainable=False, name="horizons")
    outputs = spread(decided)
    spread.set_weights([knot_weights() * bounds(hp)])
    if not training:
        outputs = keras.ops.mean(outputs, axis=1)
    model = keras.Model(inputs, outputs, name=hp.kind)
    _initialise(model, hp, np.random.default_rng(seed))
    return model


def _mlp(inputs: Any, hp: HyperParameters, _training: bool) -> Any:
    import keras

    hidden = keras.layers.Dense(hp.seeds * hp.units, activation="silu", name="hidden_1")(inputs)
    hidden = keras.layers.Reshape((hp.seeds, hp.units), name="seeds")(hidden)
    for layer in range(2, hp.layers + 1):
        hidden = keras.layers.EinsumDense(
            "abc,bcd->abd", (hp.seeds, hp.units), bias_axes="bd", activation="silu", name=f"hidden_{layer}"
        )(hidden)
    return hidden


def _lstm(inputs: Any, hp: HyperParameters, training: bool) -> Any:
    """Build one LSTM layer for all seeds: its kernels are kept block-diagonal while it is trained."""
    import keras

    hidden = inputs
    for layer in range(1, hp.layers + 1):
        apart = block_diagonal(hp.seeds) if training else None
        hidden = keras.layers.LSTM(
            hp.seeds * hp.units,
            return_sequences=layer < hp.layers,
            kernel_constraint=apart if layer > 1 else None,
            recurrent_constraint=apart,
            unroll=True,
            name=f"hidden_{layer}",
        )(hidden)
    return keras.layers.Reshape((hp.seeds, hp.units), name="seeds")(hidden)


def block_diagonal(seeds: int) -> Callable[[Any], Any]:
    """Make the constraint that keeps an LSTM kernel [cells, 4 cells] zero between cells of different seeds.

    Adam's moments never cross weights, so each seed learns exactly as it would in a layer of its own.
    """
    import keras

    def constrain(kernel: Any) -> Any:
        cells = int(kernel.shape[0])
        own = np.kron(np.eye(seeds), np.ones((cells // seeds, cells // seeds)))
        return kernel * keras.ops.convert_to_tensor(np.tile(own, (1, 4)), kernel.dtype)

    return constrain


def _initialise(model: Any, hp: HyperParameters, rng: np.random.Generator) -> None:
    """Draw initial hidden weights for each seed as if it were alone (Glorot; orthogonal for recurrence)."""
    for layer in range(1, hp.layers + 1):
        hidden = model.get_layer(f"hidden_{layer}")
        width = int(model.input_shape[-1]) if layer == 1 else hp.units
        if hp.kind == "mlp":
            kernels = [_glorot(rng, width, hp.units) for _ in range(hp.seeds)]
            kernel = np.concatenate(kernels, axis=1) if layer == 1 else np.stack(kernels)
            bias = np.zeros(hp.seeds * hp.units if layer == 1 else (hp.seeds, hp.units))
            hidden.set_weights([kernel, bias])
        else:
            hidden.set_weights(_lstm_weights(rng, hp, width, shared_input=layer == 1))


def _lstm_weights(
    rng: np.random.Generator, hp: HyperParameters, width: int, *, shared_input: bool
) -> list[Floats]:
    """Return kernel, recurrent kernel and bias in Keras's order of gates (i, f, c, o), forget bias 1."""
    cells = hp.seeds * hp.units
    kernel = np.zeros((width if shared_input else cells, 4, cells))
    recurrent = np.zeros((cells, 4, cells))
    for seed in range(hp.seeds):
        own = slice(seed * hp.units, (seed + 1) * hp.units)
        rows = slice(None) if shared_input else own
        for gate in range(4):
            kernel[rows, gate, own] = _glorot(rng, width, 4 * hp.units)[:, : hp.units]
            recurrent[own, gate, own] = np.linalg.qr(rng.normal(size=(hp.units, hp.units)))[0]
    bias = np.zeros((4, cells))
    bias[1] = 1.0
    return [kernel.reshape(-1, 4 * cells), recurrent.reshape(-1, 4 * cells), bias.reshape(-1)]


def _glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> Floats:
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))
