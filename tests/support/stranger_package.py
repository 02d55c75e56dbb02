"""A package that registers forecasters: files as an installer leaves them, without an installer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FORECASTER = """
import numpy as np
from btc_assets.forecasters.protocol import Needs

class Steady:
    name = "{name}"
    version = "{version}"
    needs = Needs(days=2)

    def forecast(self, observed):
        return np.tile(np.linspace(0.9, {highest}, 21) * observed.last_close, (90, 1))
"""


def write_package(folder: Path, name: str, targets: Mapping[str, str]) -> None:
    """Register ``targets`` by name in ``folder``, as the package ``name``."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    lines = [f"{point} = {target}" if target else point for point, target in targets.items()]
    (info / "entry_points.txt").write_text("\n".join(["[btc_assets.forecasters]", *lines, ""]))


def write_steady(folder: Path, version: str, highest: float = 1.1) -> None:
    """A package with the forecaster ``steady``, whose highest quantile is ``highest`` of the last close."""
    write_package(folder, "steady", {"steady": "steady_forecaster:Steady"})
    source = FORECASTER.format(name="steady", version=version, highest=highest)
    (folder / "steady_forecaster.py").write_text(source)
