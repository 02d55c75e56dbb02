"""Forecast from a stored vintage with ONNX Runtime alone; fast enough for a web request.

One origin at a time on one thread: a forecast has the same bytes whether it is made alone, as part of a
range, or by the web process.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from btc_assets.contracts import HORIZONS
from btc_assets.errors import BadModel, BtcError, NotEnoughHistory
from btc_assets.market.calendar import DAY
from btc_assets.modeling.anchor import ANCHOR_REACH, anchor
from btc_assets.modeling.compatibility import of_this_code
from btc_assets.modeling.features import NAMES, require_columns
from btc_assets.modeling.history import EPOCH, Floats, History, day_numbers, history, rows_between
from btc_assets.modeling.hyperparameters import MAX_WINDOW, HyperParameters
from btc_assets.modeling.samples import SLACK
from btc_assets.storage.registry.manifest import verify

INPUT = "features"


@dataclass(frozen=True, eq=False)
class Origin:
    """What every model needs to know about one origin, computed once for all of them.

    Attributes:
        history: candles up to the origin.
        day: the origin.
        close: its close, USDT.
        anchor: log-return quantiles [HORIZONS, 21] that the networks depart from.
        features: the latest rows of features.
    """

    history: History
    day: dt.date
    close: float
    anchor: Floats
    features: FeatureRows


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The rows of features that a network may read at an origin, oldest first.

    Attributes:
        days: days since ``EPOCH`` [rows].
        values: features in the order of ``NAMES`` [rows, features]; NaN where null.
    """

    days: NDArray[np.int64]
    values: Floats


def at_origin(klines: pl.DataFrame, features: pl.DataFrame, day: dt.date) -> Origin:
    """Build the state of the market at origin ``day``; rows after it are not read.

    Raises:
        NotEnoughHistory: no candle of the day, or too few before it; says how many are needed.
    """
    h = history(klines, start=day - ANCHOR_REACH * DAY, end=day + DAY, features=features)
    close = float(h.close[h.index(day)])
    return Origin(h, day, close, anchor(h, day), feature_rows(features, day))


def feature_rows(features: pl.DataFrame, day: dt.date) -> FeatureRows:
    """Choose the rows of ``features`` that a network may read at origin ``day``.

    Raises:
        BadModel: ``features`` lack a column that the networks read.
    """
    require_columns(features)
    recent = rows_between(features, day - (MAX_WINDOW + SLACK - 1) * DAY, day)
    days = day_numbers(features)[recent]
    oldest_first = np.argsort(days, kind="stable")
    values = np.stack([features[name].to_numpy()[recent] for name in NAMES], axis=1)
    return FeatureRows(days[oldest_first], values[oldest_first])


class Predictor:
    """One verified vintage, ready to forecast."""

    def __init__(self, manifest: Mapping[str, Any], session: Any) -> None:
        self.manifest = manifest
        self.hyperparameters = HyperParameters.from_dict(manifest["hyperparameters"])
        self._session = session

    @property
    def kind(self) -> str:
        """mlp or lstm."""
        return self.hyperparameters.kind

    @property
    def cutoff(self) -> dt.date:
        """The last day whose close was trained on."""
        return dt.date.fromisoformat(self.manifest["cutoff"])

    @classmethod
    def open(cls, folder: Path, manifest_sha256: str | None = None) -> Predictor:
        """Verify ``folder`` against its manifest, then open ``model.onnx`` in it.

        Raises:
            BadModel: a file is altered, missing, unlisted or of a refused type; the network was made for
                other features or other code; the graph is not one.
        """
        import onnxruntime

        manifest = verify(folder, manifest_sha256)
        _check_compatible(folder, manifest)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            content = (folder / "model.onnx").read_bytes()
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            return cls(manifest, session)
        except (OSError, KeyError, ValueError, BtcError, RuntimeError) as error:
            raise BadModel(f"{folder}: model.onnx cannot be opened: {error}") from error
        except Exception as error:  # onnxruntime's own errors share no public base
            raise BadModel(f"{folder}: model.onnx is no usable graph: {error}") from error

    def log_factors(self, features: FeatureRows, day: dt.date) -> Floats:
        """Compute ln of what the anchor's quantiles are multiplied by at each horizon [HORIZONS].

        Args:
            features: as ``feature_rows`` gives them.

        Raises:
            NotEnoughHistory: the features of the days that this network reads are not all there.
            BadModel: the network's output is not finite.
        """
        outputs = self._session.run(None, {INPUT: self._inputs(features, day)})[0]
        if outputs.shape != (1, HORIZONS) or not np.isfinite(outputs).all():
            raise BadModel(f"{self.kind} {self.cutoff}: gives no finite [1, {HORIZONS}] from {day}")
        return np.asarray(outputs[0], dtype=np.float64)

    def returns(self, origin: Origin) -> Floats:
        """Compute quantiles of the log return from the origin [HORIZONS, 21]."""
        return np.asarray(origin.anchor * np.exp(self.log_factors(origin.features, origin.day))[:, None])

    def _inputs(self, features: FeatureRows, day: dt.date) -> np.ndarray[Any, np.dtype[np.float32]]:
        window, today = self.hyperparameters.window, (day - EPOCH).days
        read = np.flatnonzero(np.isfinite(features.values).all(axis=1))[-window:]
        days = features.days[read]
        if len(days) < window or days[-1] != today or today - days[0] >= window + SLACK:
            raise NotEnoughHistory(
                f"{self.kind}: a forecast from {day} needs the features of {window} days up to it, of which "
                f"at most {SLACK} may lie further back; materialise engineered_features"
            )
        inputs = features.values[read].astype(np.float32)
        return inputs if self.kind == "mlp" else inputs[None]


def _check_compatible(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name, value in of_this_code().items():
        if manifest.get(name) != value:
            raise BadModel(
                f"{folder}: made for {name} {manifest.get(name)!r}, this code has {value!r}; "
                "fit the vintage again with this version"
            )
