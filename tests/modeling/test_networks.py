from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from btc_assets.contracts import HORIZONS
from btc_assets.modeling import networks
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.onnx_export import to_onnx

SIZES = [
    HyperParameters("mlp", units=3, seeds=2),
    HyperParameters("mlp", layers=2, units=4, seeds=3),
    HyperParameters("lstm", units=2, seeds=2, window=5),
    HyperParameters("lstm", layers=2, units=3, seeds=2, window=4),
]
MEAN, DEVIATION = np.array([0.3, -1.0, 2.0]), np.array([1.0, 0.5, 3.0])


def _inputs(hp: HyperParameters, rows: int = 200) -> np.ndarray:
    shape = (rows, 3) if hp.kind == "mlp" else (rows, hp.window, 3)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32) * 3


@pytest.mark.parametrize("hp", SIZES, ids=lambda hp: f"{hp.kind}-{hp.layers}")
def test_an_untrained_network_is_the_anchor(hp: HyperParameters) -> None:
    model = networks.build(hp, MEAN, DEVIATION, seed=1)
    assert not np.asarray(model(_inputs(hp))).any()


@pytest.mark.parametrize("hp", SIZES, ids=lambda hp: f"{hp.kind}-{hp.layers}")
def test_onnx_gives_what_keras_gives_and_stays_within_its_bounds(hp: HyperParameters) -> None:
    model = networks.build(hp, MEAN, DEVIATION, seed=1)
    knots = model.get_layer("knots")
    rng = np.random.default_rng(2)
    knots.set_weights([rng.normal(size=w.shape) * 3 for w in knots.get_weights()])
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    graph = to_onnx(weights, hp, MEAN, DEVIATION)
    assert graph == to_onnx(weights, hp, MEAN, DEVIATION)
    inputs = _inputs(hp)
    here = np.asarray(model(inputs))
    there = onnxruntime.InferenceSession(graph).run(None, {"features": inputs})[0]
    assert there.shape == (200, HORIZONS)
    assert np.abs(here - there).max() < 1e-5
    assert (np.abs(there) <= networks.bounds(hp) + 1e-6).all()
    assert np.abs(there).max() > 0.1


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_seeds_do_not_see_each_other(kind: str) -> None:
    hp = HyperParameters(kind, units=3, seeds=2, window=1 if kind == "mlp" else 4)
    model = networks.build(hp, MEAN, DEVIATION, seed=1, training=True)
    knots = model.get_layer("knots")
    knots.set_weights([np.full(w.shape, 0.5) for w in knots.get_weights()])
    before = np.asarray(model(_inputs(hp)))
    hidden = model.get_layer("hidden_1")
    altered = [w.copy() for w in hidden.get_weights()]
    for w in altered:
        gates = w.reshape(*w.shape[:-1], -1, 6)
        gates[..., 3:] += 0.7  # the second seed's units alone
        if kind == "lstm" and w.shape[0] == 6:
            gates[:3, ..., 3:] -= 0.7  # but not what the first seed's would tell it
    hidden.set_weights(altered)
    after = np.asarray(model(_inputs(hp)))
    assert after[:, 0] == pytest.approx(before[:, 0], abs=1e-6)
    assert np.abs(after[:, 1] - before[:, 1]).max() > 1e-3


def test_the_block_diagonal_constraint_keeps_seeds_apart() -> None:
    constraint = networks.block_diagonal(2)
    kept = np.asarray(constraint(np.ones((4, 16), dtype=np.float32))).reshape(4, 4, 4)
    for gate in range(4):
        assert kept[:, gate].tolist() == np.kron(np.eye(2), np.ones((2, 2))).tolist()


def test_horizons_between_knots_lie_between_them() -> None:
    weights = networks.knot_weights()
    assert weights.sum(axis=0) == pytest.approx(1.0)
    assert weights[0, 0] == 1.0
    assert weights[-1, -1] == 1.0
