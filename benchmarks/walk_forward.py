"""Walk forward over past origins with the project's own code, outside Dagster, and print the score table.

    python benchmarks/walk_forward.py --klines raw_klines.parquet --bars raw_klines_4h.parquet \\
        --from 2023-01-01 --to 2025-05-31 --refit-every 30 --models models/ --out forecasts.parquet

``--klines`` and ``--bars`` are what ``btc export raw_klines`` and ``raw_klines_4h`` write, ``--implied``
(which may be left out) what ``btc export raw_implied_volatility`` does. Vintages are kept in ``--models``; a
run that was interrupted need not fit again. The forecasts are what the assets would issue for the same
origins.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import time
from pathlib import Path
from typing import Any

import polars as pl
from rich.progress import track

from btc_assets.contracts import FORECASTS, LEVELS, QUANTILES, UTC_US
from btc_assets.market.calendar import DAY, days
from btc_assets.modeling.baselines import baseline_forecasts
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import forecasts
from btc_assets.modeling.vintages import VintageBook
from btc_assets.scoring.scores import score
from btc_assets.scoring.summary import render
from btc_assets.series import BARS, CANDLES, IMPLIED
from btc_assets.storage.registry.folder import FolderRegistry


def main() -> None:
    """Parse the command line, walk, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--klines", type=Path, required=True)
    parser.add_argument("--bars", type=Path, required=True)
    parser.add_argument("--implied", type=Path)
    parser.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True)
    parser.add_argument("--refit-every", type=int, default=30)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="folder for reliability.png and pit.png")
    arguments = parser.parse_args()
    klines = pl.read_parquet(arguments.klines)
    series = {CANDLES.name: klines, BARS.name: pl.read_parquet(arguments.bars)}
    if arguments.implied:
        series[IMPLIED.name] = pl.read_parquet(arguments.implied)
    features = engineer(series)
    book = VintageBook(FolderRegistry(arguments.models), klines, features, arguments.refit_every)
    origins = list(days(arguments.start, arguments.end + DAY))
    began = time.perf_counter()
    parts = [forecasts([day], klines, book.features, book.predictor) for day in track(origins, "walking")]
    walked = time.perf_counter() - began
    issued = pl.lit(dt.datetime.now(dt.UTC)).cast(UTC_US).alias("issued_at")
    made = pl.concat(parts).with_columns(issued).select(FORECASTS.schema.names())
    made.write_parquet(arguments.out)
    baselines = baseline_forecasts(klines, origins).with_columns(issued)
    scores = score(pl.concat([made, baselines]), klines)
    print(render(scores))
    if arguments.pictures:
        draw(made, scores, arguments.pictures)
    held = [
        r for kind in ("mlp", "lstm") for r in book.rows(kind, origins).filter(action="held_back")["reason"]
    ]
    print(f"{len(origins)} origins in {walked:.0f} s; {len(held)} model-days with a vintage held back")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    for reason in sorted(set(held)):
        print(f"  {reason}")


def draw(made: pl.DataFrame, scores: pl.DataFrame, folder: Path) -> None:
    """Reliability (share of closes below each quantile) and PIT histogram, of horizons up to 30 days."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    scored = scores.filter((pl.col("model") == "ensemble") & (pl.col("horizon") <= 30))
    rows = made.join(
        scored.select("model", "origin_date", "horizon", "close"), on=["model", "origin_date", "horizon"]
    )
    for name, picture in (("reliability", _reliability), ("pit", _pit)):
        figure = Figure(figsize=(7.2, 3.4), dpi=110, layout="tight")
        FigureCanvasAgg(figure)
        picture(figure, rows, scored)
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def _reliability(figure: Any, rows: pl.DataFrame, _scored: pl.DataFrame) -> None:
    for place, horizon in enumerate((1, 7, 30), start=1):
        axes = figure.add_subplot(1, 3, place)
        mine = rows.filter(pl.col("horizon") == horizon)
        below = [(mine["close"] < mine[name]).mean() for name in QUANTILES]
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--")
        axes.plot(LEVELS, below, color="#1f5fbf", marker="o", markersize=3)
        axes.set_title(f"{horizon} day{'s' if horizon > 1 else ''} ahead", fontsize=9)
        axes.set_xlabel("quantile level")
    figure.axes[0].set_ylabel("share of closes below")


def _pit(figure: Any, _rows: pl.DataFrame, scored: pl.DataFrame) -> None:
    for place, horizon in enumerate((1, 7, 30), start=1):
        axes = figure.add_subplot(1, 3, place)
        values = scored.filter(pl.col("horizon") == horizon)["pit"].to_numpy()
        axes.hist(values, bins=10, range=(0, 1), density=True, color="#1f5fbf", edgecolor="white")
        axes.axhline(1.0, color="#999999", linewidth=1, linestyle="--")
        axes.set_title(f"{horizon} day{'s' if horizon > 1 else ''} ahead", fontsize=9)
        axes.set_xlabel("PIT")
    figure.axes[0].set_ylabel("density")


if __name__ == "__main__":
    main()
