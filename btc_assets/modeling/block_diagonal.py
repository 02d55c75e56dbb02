"""The constraint that lets several LSTMs share one layer; imports keras, so it is imported late."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class BlockDiagonal(keras.constraints.Constraint):  # type: ignore[misc]
    """Keeps an LSTM kernel [cells, 4 cells] zero between cells of different seeds.

    Adam's moments never cross weights, so each seed learns exactly as it would in a layer of its own.
    """

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def __call__(self, w: Any) -> Any:  # noqa: D102  (documented by keras)
        cells = int(w.shape[0])
        own = np.kron(np.eye(self.seeds), np.ones((cells // self.seeds, cells // self.seeds)))
        return w * keras.ops.convert_to_tensor(np.tile(own, (1, 4)), w.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"seeds": self.seeds}
