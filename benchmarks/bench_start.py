"""A start of ``btc up`` on stored data, measured: seconds to the page and to Ready, and processor time.

The data are a simulated market's, loaded by a first start that is measured as well: minutes, mostly fitting.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Row = tuple[str, str, str]
"""What, measured, aim."""


@dataclass
class Start:
    """Seconds until the page showed a forecast and until Ready; processor time until it was stopped."""

    page: float
    ready: float
    processor: float


def run() -> list[Row]:
    """A first start and the best of three later ones, by the seconds to Ready."""
    with tempfile.TemporaryDirectory() as folder:
        first = start(Path(folder))
        later = min((start(Path(folder)) for _ in range(3)), key=lambda one: one.ready)
    return [
        ("first start to the networks' forecasts and Ready", f"{first.ready:.0f} s", "<= 60 s"),
        ("restart to the stored forecast on the page", f"{later.page:.1f} s", "<= 2 s"),
        ("restart to Ready", f"{later.ready:.1f} s", "<= 3 s"),
        ("processor time of a restart and the stop after it", f"{later.processor:.1f} s", ""),
    ]


def start(folder: Path) -> Start:
    """Run ``btc up`` in ``folder`` until it is ready, then stop it."""
    web, dagster = free_port(), free_port()
    ours = {"BTC_DATA_DIR": str(folder), "BTC_SOURCE": "simulated", "BTC_RECORD_DAYS": "0"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))} | ours
    command = [sys.executable, "-m", "btc_assets.cli", "up"]
    ports = ["--web-port", str(web), "--dagster-port", str(dagster)]
    before, began, shown = os.times(), time.perf_counter(), [0.0]
    process = subprocess.Popen(
        [*command, *ports], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    look = threading.Thread(target=lambda: shown.append(wait_for_page(web, process) - began), daemon=True)
    look.start()
    assert process.stdout is not None
    ready = next((time.perf_counter() - began for line in process.stdout if line.startswith("Ready")), None)
    look.join(60)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    if ready is None:
        raise RuntimeError(f"btc up ended with {process.returncode} before it was ready")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Start(shown[-1], ready, spent)


def wait_for_page(port: int, process: subprocess.Popen[str]) -> float:
    """Return when the page had a forecast (the clock of ``time.perf_counter``), or `btc up` ended."""
    while process.poll() is None:
        with contextlib.suppress(OSError):  # nothing listens yet, or there is no forecast: 404
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/forecast?days=14", timeout=20).close()
            break
        time.sleep(0.02)
    return time.perf_counter()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
