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


def test_looking_whether_dagster_is_ready_loads_no_tables() -> None:
    """`btc up` says Ready after it, and somebody waits for that."""
    used = "btc_assets.cli.up, btc_assets.health.context, btc_assets.health.services"
    code = f"import sys, {used}; print([name for name in ('polars', 'numpy') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
