"""The model card: what a vintage was trained on, how well it fits, and two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from btc_assets.contracts import LEVELS
from btc_assets.modeling.history import Floats

LOSS_PICTURE, CALIBRATION_PICTURE = "loss.png", "calibration.png"


def write_card(folder: Path, facts: Mapping[str, Any], losses: Sequence[float], below: Floats) -> None:
    """Write ``card.md``, ``loss.png`` and ``calibration.png`` to ``folder``.

    Args:
        facts: the manifest's fields, metrics among them.
        losses: training loss of each epoch, relative to the anchor's, with its penalty on large weights.
        below: share of training outcomes below each of the 21 quantiles.
    """
    _line(
        folder / LOSS_PICTURE,
        np.arange(1.0, len(losses) + 1.0),
        np.asarray(losses),
        "epoch",
        "training loss with its penalty",
    )
    _line(
        folder / CALIBRATION_PICTURE,
        np.asarray(LEVELS),
        below,
        "quantile level",
        "share of outcomes below it",
        reference=([0, 1], [0, 1]),
    )
    (folder / "card.md").write_text(_text(facts), encoding="utf-8")


def _text(facts: Mapping[str, Any]) -> str:
    metrics: Mapping[str, float] = facts["metrics"]
    origins, first, last = int(metrics["origins"]), facts["first_origin"], facts["last_target"]
    loss, loss_1 = metrics["train_loss"], metrics["train_loss_h1"]
    parameters = ", ".join(f"{k} {v}" for k, v in facts["hyperparameters"].items() if k != "kind")
    return f"""# {facts["kind"].upper()} for {facts["symbol"]}, cutoff {facts["cutoff"]}

Stretches the quantiles of a mixture random walk 1 to 90 days ahead, around the last close. It forecasts how
far the price may move, not whether it rises or falls.

| | |
|---|---|
| trained on | {origins} origins from {first}, targets up to {last} |
| loss against the random walk, in sample | {loss:.4f} (1 day ahead {loss_1:.4f}) |
| outcomes inside the 80 % interval, in sample | {metrics["train_coverage_80"]:.1%} |
| largest difference between Keras and ONNX | {metrics["export_difference"]:.1e} |
| features | {", ".join(facts["features"])} |
| hyper-parameters | {parameters} |
| data | sha256 {facts["data_sha256"]} |
| code | version {facts["code_version"]}, features {facts["feature_digest"]} |

![training loss by epoch]({LOSS_PICTURE})
![calibration on the training origins]({CALIBRATION_PICTURE})

In-sample numbers say that training worked, not how good forecasts are: for that see forecast_scores.
"""


def _line(
    path: Path,
    x: Floats,
    y: Floats,
    across: str,
    up: str,
    reference: tuple[Sequence[float], Sequence[float]] | None = None,
) -> None:
    """Return a small line chart as PNG, without dates in the file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 3.0), dpi=96, layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if reference is not None:
        axes.plot(*reference, color="#999999", linewidth=1, linestyle="--")
    axes.plot(x, y, color="#1f5fbf", linewidth=1.6, marker="o", markersize=2.5)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.25)
    figure.savefig(path, metadata={"Software": None})
