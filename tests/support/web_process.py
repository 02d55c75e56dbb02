"""``python -m btc_dash`` as a real process on a free port of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def process(data_dir: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The server, stopped at the end whatever happens."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BTC_") and k != "PORT"}
    started = subprocess.Popen(
        [sys.executable, "-m", "btc_dash"],
        cwd=ROOT,
        env=kept | {"BTC_DATA_DIR": str(data_dir), "WEB_CONCURRENCY": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()
