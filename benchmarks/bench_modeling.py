"""Seconds to refit both networks, and milliseconds to forecast one origin with all models from ONNX.

On the simulated market, as long as the real one. Beside it, in the same run: the same call through Keras.
"""

from __future__ import annotations

import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from btc_assets.contracts import NETWORKS, RAW_KLINES_4H
from btc_assets.market.calendar import DAY, FIRST_DAY, FOUR_HOURS, last_closed_day
from btc_assets.market.sources.simulated import Simulated
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import forecast_origin
from btc_assets.modeling.hyperparameters import DEFAULTS
from btc_assets.modeling.inference import Predictor, at_origin
from btc_assets.modeling.training import fit
from btc_assets.series import BARS, CANDLES
from btc_assets.storage.bitemporal import klines_frame

Row = tuple[str, str, str]
"""What, measured, aim."""


def run() -> list[Row]:
    """Fit on all history, then forecast its last day again and again."""
    now = dt.datetime.now(dt.UTC)
    day = last_closed_day(now)
    klines = klines_frame(Simulated().klines("BTCUSDT", FIRST_DAY, day + DAY), now)
    began = time.perf_counter()
    bars = klines_frame(Simulated().klines("BTCUSDT", FIRST_DAY, day + DAY, FOUR_HOURS), now, RAW_KLINES_4H)
    features = engineer({CANDLES.name: klines, BARS.name: bars})
    rows = [(f"features of {klines.height:,} days", f"{time.perf_counter() - began:.3f} s", "")]
    with tempfile.TemporaryDirectory() as scratch:
        for what in ("first in the process", "later"):
            folder = Path(scratch) / what
            seconds = refit(klines, features, day, folder)
            rows.append((f"refit of both networks, {what}", f"{seconds:.1f} s", "< 30 s"))
        rows += inference(klines, features, day, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [*rows, ("peak memory", f"{peak:.2f} GiB", "< 2 GiB")]


def refit(klines: pl.DataFrame, features: pl.DataFrame, day: dt.date, folder: Path) -> float:
    """Seconds to fit, export and verify both networks."""
    began = time.perf_counter()
    for kind in NETWORKS:
        fit(kind, klines, features, day, DEFAULTS[kind], folder / kind)
    return time.perf_counter() - began


def inference(klines: pl.DataFrame, features: pl.DataFrame, day: dt.date, folder: Path) -> list[Row]:
    """Milliseconds a forecast takes, its parts, and the same call through Keras."""
    import keras

    predictors = {kind: Predictor.open(folder / kind) for kind in NETWORKS}
    state = at_origin(klines, features, day)
    model = keras.saving.load_model(folder / "mlp" / "model.keras", compile=False)
    inputs = state.features.values[-1:].astype(np.float32)
    one = timed(
        "one origin, all models", lambda: forecast_origin(at_origin(klines, features, day), predictors)
    )
    rows = [(*one[:2], "< 5 ms"), timed("of which the anchor", lambda: at_origin(klines, features, day))]
    for kind in NETWORKS:
        rows.append(
            timed(f"of which {kind}, ONNX", lambda k=kind: predictors[k].log_factors(state.features, day))
        )
    return [*rows, timed("mlp through Keras predict", lambda: model.predict(inputs, verbose=0), times=30)]


def timed(what: str, work: Callable[[], object], times: int = 200) -> Row:
    """Median and 95th percentile of ``times`` runs, in milliseconds."""
    for _ in range(5):
        work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return what, f"{np.median(taken):.2f} ms, p95 {np.quantile(taken, 0.95):.2f} ms", ""
