"""The fixture that runs ``btc`` as a person does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RunBtc = Callable[..., subprocess.CompletedProcess[str]]
"""``btc(*arguments, **environment)`` runs the command line in a process of its own."""


@pytest.fixture
def btc(tmp_path: Path) -> RunBtc:
    """Run ``btc ARGS`` with a data folder of its own; keyword arguments are environment variables."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))}
        mine = {
            "BTC_DATA_DIR": str(tmp_path / "data"),
            "BTC_CACHE_DIR": str(tmp_path / "cache"),
            "COLUMNS": "200",
        }
        command = [sys.executable, "-m", "btc_assets.cli", *arguments]
        return subprocess.run(command, env={**clean, **mine, **environment}, capture_output=True, text=True)

    return run
