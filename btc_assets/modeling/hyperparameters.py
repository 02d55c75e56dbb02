"""Hyper-parameters of each network, as frozen values that are checked when they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from btc_assets.contracts import NETWORKS
from btc_assets.errors import ConfigurationError

MAX_WINDOW = 60
"""Longest window of days that a network may read."""


@dataclass(frozen=True, slots=True)
class HyperParameters:
    """One network's hyper-parameters; ``DEFAULTS`` holds those in use until the asset tunes others.

    Attributes:
        kind: "mlp" or "lstm".
        layers: hidden layers.
        units: units (MLP) or cells (LSTM) a layer and seed.
        window: days of features that the LSTM reads; 1 for the MLP.
        learning_rate: of Adam, falling to zero along a cosine.
        epochs: passes over the training origins; there is no early stopping.
        batch: origins a step.
        l2: weight of the squared kernels in the loss.
        seeds: networks trained side by side from different initial weights and averaged.
        bound: largest |ln| of the factor by which quantiles may be stretched.
        fade: horizon in days at which the bound has halved.
    """

    kind: str
    layers: int = 1
    units: int = 16
    window: int = 1
    learning_rate: float = 0.003
    epochs: int = 30
    batch: int = 128
    l2: float = 1e-2
    seeds: int = 5
    bound: float = 0.4
    fade: float = 60.0

    def __post_init__(self) -> None:
        if self.kind not in NETWORKS:
            raise ConfigurationError(
                f"hyper-parameters: kind = {self.kind!r} is none of {', '.join(NETWORKS)}"
            )
        for name in ("layers", "units", "window", "epochs", "batch", "seeds"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise ConfigurationError(
                    f"hyper-parameters: {name} = {getattr(self, name)!r} must be 1 or more"
                )
        if self.window > MAX_WINDOW:
            raise ConfigurationError(f"hyper-parameters: window = {self.window} is above {MAX_WINDOW}")
        for name in ("learning_rate", "bound", "fade"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(
                    f"hyper-parameters: {name} = {getattr(self, name)!r} must be above 0"
                )
        if not 0 <= self.l2 < float("inf"):
            raise ConfigurationError(f"hyper-parameters: l2 = {self.l2!r} must be 0 or more")

    def as_dict(self) -> dict[str, Any]:
        """Return them as plain values, e.g. for a manifest."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HyperParameters:
        """Make them from what ``as_dict`` returned.

        Raises:
            ConfigurationError: an unknown name or an impossible value.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or "kind" not in values:
            raise ConfigurationError(f"hyper-parameters: unknown {unknown}; known are {sorted(known)}")
        return cls(**values)


DEFAULTS: Mapping[str, HyperParameters] = {
    "mlp": HyperParameters("mlp", units=16, epochs=20, learning_rate=0.003),
    "lstm": HyperParameters("lstm", units=8, window=10, epochs=10, learning_rate=0.005),
}
"""In use until tuning finds better ones: chosen by hand on 2020 to 2022 (docs/forecasting.md)."""
