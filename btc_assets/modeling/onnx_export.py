"""The trained network as an ONNX graph, written node by node from its weights.

Converters name nodes by counters and leave dozens of shape operations behind; this graph has the same
bytes for the same weights, the LSTM as one operator, and runs in well under a millisecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from btc_assets.contracts import HORIZONS
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.networks import CLIP

OPSET = 17
IR_VERSION = 8

INPUT, OUTPUT = "features", "log_factors"

Weights = Mapping[str, list[np.ndarray[Any, np.dtype[np.float32]]]]


def to_onnx(weights: Weights, hyperparameters: HyperParameters, mean: Any, deviation: Any) -> bytes:
    """Write the serialised ONNX model for ``weights`` (layer name -> arrays, as Keras holds them).

    Input ``features`` [batch, features] or [batch, window, features], output ``log_factors``
    [batch, HORIZONS], both float32.
    """
    graph = _Graph()
    hp = hyperparameters
    scaled = graph.add("Sub", INPUT, graph.constant("mean", mean))
    scaled = graph.add("Div", scaled, graph.constant("deviation", deviation))
    scaled = graph.add("Clip", scaled, graph.constant("low", -CLIP), graph.constant("high", CLIP))
    hidden = (_mlp if hp.kind == "mlp" else _lstm)(graph, scaled, weights, hp)
    kernel, bias = weights["knots"]
    knots = graph.add("MatMul", hidden, graph.constant("knots_kernel", kernel))
    knots = graph.add("Add", knots, graph.constant("knots_bias", bias[:, None, :]))
    knots = graph.add("Tanh", knots)
    spread = graph.add("MatMul", knots, graph.constant("horizons", weights["horizons"][0]))
    graph.add("ReduceMean", spread, output=OUTPUT, axes=[0], keepdims=0)
    shape = [None, len(mean)] if hp.kind == "mlp" else [None, hp.window, len(mean)]
    return graph.serialise(hp.kind, shape)


def _mlp(graph: _Graph, inputs: str, weights: Weights, hp: HyperParameters) -> str:
    """Hidden units as [seeds, batch, units]."""
    hidden = inputs
    for layer in range(1, hp.layers + 1):
        kernel, bias = weights[f"hidden_{layer}"]
        if layer == 1:
            kernel = kernel.reshape(-1, hp.seeds, hp.units).transpose(1, 0, 2)
            bias = bias.reshape(hp.seeds, hp.units)
        hidden = graph.add("MatMul", hidden, graph.constant(f"kernel_{layer}", kernel))
        hidden = graph.add("Add", hidden, graph.constant(f"bias_{layer}", bias[:, None, :]))
        hidden = graph.add("Mul", hidden, graph.add("Sigmoid", hidden))
    return hidden


def _lstm(graph: _Graph, inputs: str, weights: Weights, hp: HyperParameters) -> str:
    """Last hidden states as [seeds, batch, units]."""
    cells = hp.seeds * hp.units
    sequence = graph.add("Transpose", inputs, perm=[1, 0, 2])
    last = sequence
    for layer in range(1, hp.layers + 1):
        kernel, recurrent, bias = weights[f"hidden_{layer}"]
        outputs = graph.lstm(
            last if layer == 1 else sequence,
            graph.constant(f"kernel_{layer}", _gates(kernel.T, cells)[None]),
            graph.constant(f"recurrent_{layer}", _gates(recurrent.T, cells)[None]),
            graph.constant(f"bias_{layer}", np.concatenate([_gates(bias, cells), np.zeros(4 * cells)])[None]),
            cells,
        )
        sequence = graph.add("Squeeze", outputs[0], graph.indices("direction", [1]))
        last = outputs[1]
    apart = graph.add("Reshape", last, graph.indices("apart", [-1, hp.seeds, hp.units]))
    return graph.add("Transpose", apart, perm=[1, 0, 2])


def _gates(rows: Any, cells: int) -> Any:
    """Turn Keras's order of gates (i, f, c, o) into ONNX's (i, o, f, c)."""
    i, f, c, o = (rows[k * cells : (k + 1) * cells] for k in range(4))
    return np.concatenate([i, o, f, c])


class _Graph:
    """Nodes and constants in the order they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        array = np.ascontiguousarray(value, dtype=np.float32).reshape(np.shape(value))
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def indices(self, name: str, value: list[int]) -> str:
        from onnx import numpy_helper

        self.constants[name] = numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        return name

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def lstm(self, inputs: str, kernel: str, recurrent: str, bias: str, cells: int) -> list[str]:
        from onnx import helper

        outputs = [f"lstm_{len(self.nodes)}_all", f"lstm_{len(self.nodes)}_last"]
        node = helper.make_node(
            "LSTM", [inputs, kernel, recurrent, bias], outputs, name=outputs[0], hidden_size=cells
        )
        self.nodes.append(node)
        return outputs

    def serialise(self, name: str, input_shape: list[int | None]) -> bytes:
        from onnx import TensorProto, checker, helper

        inputs = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", *input_shape[1:]])
        outputs = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", HORIZONS])
        graph = helper.make_graph(self.nodes, name, [inputs], [outputs], list(self.constants.values()))
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="btc_assets"
        )
        model.ir_version = IR_VERSION
        checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
