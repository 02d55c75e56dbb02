"""Starts of ``btc up``, measured: seconds to a chart in a browser, to the page's forecast and to Ready.

Then how fast the page answers while the record is filled backwards beside it, and while it is not.

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from dash_browser import launch  # noqa: E402 - the tests' own

Row = tuple[str, str, str]
"""What, measured, aim."""


@dataclass
class Start:
    """Seconds until the page showed a forecast and until Ready; processor time until it was stopped."""

    page: float
    ready: float
    processor: float


def run() -> list[Row]:
    """Two first starts and the best of three later ones, by the seconds to Ready."""
    with tempfile.TemporaryDirectory() as folder:
        chart = first_chart(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        first = start(Path(folder))
        later = min((start(Path(folder)) for _ in range(3)), key=lambda one: one.ready)
        alone, beside = (answer_times(Path(folder), record_days) for record_days in (0, 730))
    return [
        ("first start to a chart in a browser", f"{chart:.0f} s", "<= 20 s"),
        ("first start to the networks' forecasts and Ready", f"{first.ready:.0f} s", "<= 60 s"),
        ("restart to the stored forecast on the page", f"{later.page:.1f} s", "<= 2 s"),
        ("restart to Ready", f"{later.ready:.1f} s", "<= 3 s"),
        ("processor time of a restart and the stop after it", f"{later.processor:.1f} s", ""),
        ("page and forecast, 95th of 200, nothing else running", f"{alone:.0f} ms", ""),
        ("the same while the record is filled", f"{beside:.0f} ms", "as without"),
    ]


@contextlib.contextmanager
def btc_up(folder: Path, record_days: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``btc up`` in ``folder``; yields it and the page's port, and stops it in the end."""
    web, dagster = free_port(), free_port()
    ours = {"BTC_DATA_DIR": str(folder), "BTC_SOURCE": "simulated", "BTC_RECORD_DAYS": str(record_days)}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BTC_", "DAGSTER_"))} | ours
    command = [sys.executable, "-m", "btc_assets.cli", "up"]
    ports = ["--web-port", str(web), "--dagster-port", str(dagster)]
    process = subprocess.Popen(
        [*command, *ports], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process, web
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def wait_for_ready(process: subprocess.Popen[str]) -> float:
    """Return when it said Ready (the clock of ``time.perf_counter``)."""
    assert process.stdout is not None
    if any(line.startswith("Ready") for line in process.stdout):
        return time.perf_counter()
    raise RuntimeError(f"btc up ended with {process.wait()} before it was ready")


def start(folder: Path) -> Start:
    """Run ``btc up`` in ``folder`` until it is ready, then stop it."""
    before, began, shown = os.times(), time.perf_counter(), [0.0]
    with btc_up(folder) as (process, web):
        look = threading.Thread(target=lambda: shown.append(wait_for_page(web, process) - began), daemon=True)
        look.start()
        ready = wait_for_ready(process) - began
        look.join(60)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Start(shown[-1], ready, spent)


def first_chart(folder: Path) -> float:
    """Return the seconds that ``btc up`` with an empty ``folder`` takes until a browser has drawn a chart."""
    with sync_playwright() as playwright:
        page = launch(playwright).new_page()
        began = time.perf_counter()
        with btc_up(folder) as (process, web):
            while process.poll() is None:
                with contextlib.suppress(Error):  # nothing listens yet
                    page.goto(f"http://127.0.0.1:{web}/")
                    break
                time.sleep(0.1)
            page.wait_for_selector(".dash-graph .main-svg", timeout=120_000)
            return time.perf_counter() - began


def answer_times(folder: Path, record_days: int) -> float:
    """Return the 95th of 200 answers in ms, the page and forecasts in turn, half a minute after Ready."""
    with btc_up(folder, record_days) as (process, web):
        wait_for_ready(process)
        output = threading.Thread(target=process.stdout.read, daemon=True)  # type: ignore[union-attr]
        output.start()
        time.sleep(30)
        taken = []
        for number in range(200):
            path = "/" if number % 2 else f"/api/v1/forecast?days={1 + number % 90}"
            began = time.perf_counter()
            urllib.request.urlopen(f"http://127.0.0.1:{web}{path}", timeout=20).read()
            taken.append(1_000 * (time.perf_counter() - began))
            time.sleep(0.1)
    output.join(60)
    return sorted(taken)[189]


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
