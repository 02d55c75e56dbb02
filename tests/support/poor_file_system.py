"""Processes that see a file system without hard links or without locks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


def without(what: str, folder: Path) -> dict[str, str]:
    """The variables with which a process sees no ``LINKS`` or no ``LOCKS``; skips where no compiler is."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here, by which the file system is made poorer")
    library = folder / "poor_file_system.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), f"NO_{what}": "1"}
