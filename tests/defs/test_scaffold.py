"""Dagster's own command line works on the project: scaffold into defs/, then load and list."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DG = Path(sys.executable).with_name("dg")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's code, to scaffold into."""
    shutil.copytree(
        ROOT / "btc_assets", tmp_path / "btc_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def dg(project: Path, *arguments: str) -> str:
    """Run ``dg`` in the project's copy, which comes before the installed package."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
    mine = {
        "PATH": f"{DG.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(project),
        "BTC_DATA_DIR": str(project / "data"),
        "DAGSTER_HOME": "",
        "DAGSTER_TELEMETRY_DISABLED": "1",
        "DG_CLI_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [DG, *arguments], cwd=project, env=clean | mine, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.faults
def test_dg_scaffolds_an_asset_into_defs_and_still_loads_the_graph(project: Path) -> None:
    dg(project, "scaffold", "defs", "dagster.asset", "weather.py")
    new = project / "btc_assets" / "defs" / "weather.py"
    assert "def weather" in new.read_text()
    dg(project, "check", "defs")
    said = dg(project, "list", "defs", "--json")
    assets = {asset["asset_key"] for asset in json.loads(said[said.index("{") :])["assets"]}
    assert {"raw_klines", "forecasts", "forecast_scores"} <= assets
    assert "weather" not in assets, "definitions.py lists what belongs to the graph; nothing loads by itself"
