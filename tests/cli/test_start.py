"""What a command costs before it does anything."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_loads_no_library_that_its_command_does_not_need() -> None:
    """Each costs up to a second, in which the terminal is silent."""
    heavy = ("polars", "numpy", "dagster", "requests", "tensorflow", "psutil", "rich")
    code = f"import sys, btc_assets.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
