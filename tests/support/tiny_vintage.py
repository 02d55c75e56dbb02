"""A model folder made without a training library: a real graph that ONNX Runtime opens and runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from btc_assets.contracts import HORIZONS, LEVELS
from btc_assets.modeling.compatibility import CODE_VERSION, feature_digest
from btc_assets.modeling.features import NAMES
from btc_assets.modeling.hyperparameters import DEFAULTS
from btc_assets.modeling.model_card import write_card
from btc_assets.storage.registry.manifest import write_manifest

METRICS = {
    "origins": 900.0, "train_loss": 0.985, "train_loss_h1": 0.97, "train_coverage_80": 0.81,
    "export_difference": 1e-7,
}  # fmt: skip


@cache
def _papers(kind: str) -> dict[str, bytes]:
    """The card and its pictures as a fit writes them, the same for every cutoff."""
    losses = [1 - 0.02 * (1 - 0.8**epoch) for epoch in range(30)]
    below = np.array(LEVELS) + 0.01 * np.sin(np.linspace(0, 6, len(LEVELS)))
    with tempfile.TemporaryDirectory() as scratch:
        write_card(Path(scratch), facts(kind, dt.date(2026, 1, 4)), losses, below)
        return {path.name: path.read_bytes() for path in Path(scratch).iterdir()}


def write_vintage(
    folder: Path, kind: str, cutoff: dt.date, stretch: float = 0.0, code_version: int = CODE_VERSION
) -> str:
    """Write a vintage that stretches every quantile by exp(``stretch``); returns its manifest's SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    window = DEFAULTS[kind].window
    shape = [1, len(NAMES)] if kind == "mlp" else [1, window, len(NAMES)]
    (folder / "model.onnx").write_bytes(_graph(shape, stretch).SerializeToString())
    for name, content in _papers(kind).items():
        (folder / name).write_bytes(content)
    return write_manifest(folder, facts(kind, cutoff) | {"code_version": code_version})


def facts(kind: str, cutoff: dt.date) -> dict[str, Any]:
    """The manifest's fields, as a fit would write them."""
    return {
        "kind": kind,
        "symbol": "BTCUSDT",
        "cutoff": cutoff.isoformat(),
        "seed": 1,
        "seeds": DEFAULTS[kind].seeds,
        "hyperparameters": DEFAULTS[kind].as_dict(),
        "features": list(NAMES),
        "feature_digest": feature_digest(),
        "code_version": CODE_VERSION,
        "package": "0",
        "libraries": {name: metadata.version(name) for name in ("keras", "onnx")},
        "data_sha256": hashlib.sha256(cutoff.isoformat().encode()).hexdigest(),
        "first_origin": (cutoff - dt.timedelta(days=900)).isoformat(),
        "last_target": cutoff.isoformat(),
        "metrics": METRICS,
    }


def _graph(shape: list[int], stretch: float) -> Any:
    """log factors [1, HORIZONS] = 0 x the sum of the features + ``stretch``."""
    axes = numpy_helper.from_array(np.arange(1, len(shape), dtype=np.int64), "axes")
    zero = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "zero")
    level = numpy_helper.from_array(np.full((1, HORIZONS), stretch, dtype=np.float32), "level")
    nodes = [
        helper.make_node("ReduceSum", ["features", "axes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "one"], ["column"]),
        helper.make_node("Add", ["column", "level"], ["log_factors"]),
    ]
    one = numpy_helper.from_array(np.array([1], dtype=np.int64), "one")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("log_factors", TensorProto.FLOAT, [1, HORIZONS])],
        [axes, zero, level, one],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
