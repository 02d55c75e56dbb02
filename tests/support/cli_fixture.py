"""The type of the fixture that runs ``btc``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

RunBtc = Callable[..., subprocess.CompletedProcess[str]]
"""``btc(*arguments, **environment)`` runs the command line in a process of its own."""
