"""Seconds to refit both networks and milliseconds to forecast one origin with all models, from ONNX.

    python benchmarks/bench_modeling.py --klines raw_klines.parquet

``--klines`` is what ``btc export raw_klines`` writes. Printed beside it: the same forecast through Keras, in
the same run.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from btc_assets.contracts import NETWORKS
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import forecast_origin
from btc_assets.modeling.hyperparameters import DEFAULTS
from btc_assets.modeling.inference import Predictor, at_origin
from btc_assets.modeling.training import fit


def main() -> None:
    """Fit on all history, then forecast its last day again and again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--klines", type=Path, required=True)
    klines = pl.read_parquet(parser.parse_args().klines)
    began = time.perf_counter()
    features = engineer(klines)
    print(f"features of {klines.height} days          {time.perf_counter() - began:8.3f} s")
    day = klines["date"].max()
    assert day is not None
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for kind in NETWORKS:
            fit(kind, klines, features, day, DEFAULTS[kind], Path(folder) / kind)  # type: ignore[arg-type]
        print(f"refit of both, first in the process  {time.perf_counter() - began:8.1f} s")
        began = time.perf_counter()
        for kind in NETWORKS:
            fit(kind, klines, features, day, DEFAULTS[kind], Path(folder) / f"{kind}2")  # type: ignore[arg-type]
        print(f"refit of both, later                 {time.perf_counter() - began:8.1f} s")
        predictors = {kind: Predictor.open(Path(folder) / kind) for kind in NETWORKS}
        state = at_origin(klines, features, day)  # type: ignore[arg-type]
        report(
            "one origin, all models (ONNX)",
            lambda: forecast_origin(at_origin(klines, features, day), predictors),
        )  # type: ignore[arg-type]
        for kind, predictor in predictors.items():
            report(f"  of which {kind}", lambda p=predictor: p.log_factors(state.features, state.day))  # type: ignore[misc]
        keras_too(Path(folder), predictors["mlp"], state.features)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory                          {peak:8.2f} GiB")


def report(what: str, work: Callable[[], object], times: int = 200) -> None:
    """Median and 95th percentile of ``times`` runs, in milliseconds."""
    for _ in range(5):
        work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    print(f"{what:<36} {np.median(taken):8.2f} ms median {np.quantile(taken, 0.95):8.2f} ms p95")


def keras_too(folder: Path, predictor: Predictor, features: pl.DataFrame) -> None:
    """The MLP's call through ``keras.Model.predict``, for comparison."""
    import keras

    model = keras.saving.load_model(folder / "mlp" / "model.keras", compile=False)
    inputs = features.tail(1).select(predictor.manifest["features"]).to_numpy().astype(np.float32)
    report("  mlp through Keras predict", lambda: model.predict(inputs, verbose=0), times=30)


if __name__ == "__main__":
    main()
