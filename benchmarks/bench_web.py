"""The web app, measured: ``python -m benchmarks.bench_web``.

gunicorn serves a filled store as in production; Chromium loads and clicks, and a second process asks. All
on the machine that serves, so every number carries the cost of the asker as well.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.web_load import load

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

Row = tuple[str, str, str]
"""What, measured, aim."""


def run() -> list[Row]:
    """Every measurement, as rows of a table."""
    import dash_data

    with tempfile.TemporaryDirectory() as scratch:
        dash_data.fill(Path(scratch) / "real")
        rows = [*on_demand(scratch)]
        with serving(scratch) as (port, first_answer, process):
            rows.append(("start to first answer", f"{first_answer:.2f} s", "<= 2.5 s"))
            rows += browsing(port)
            rows += answer_times(port, process)
    return rows


@contextmanager
def serving(data_dir: str) -> Iterator[tuple[int, float, psutil.Process]]:
    """``python -m btc_dash`` on a free port: the port, seconds to the first answer, the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"BTC_DATA_DIR": data_dir, "BTC_WEB_PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "btc_dash"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - began > 60:
                    raise
                time.sleep(0.02)
        yield port, time.perf_counter() - began, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def browsing(port: int, loads: int = 5, clicks: int = 40) -> Iterator[Row]:
    """First load, on loopback and on a slow line, and the time from a click to the repainted chart."""
    from dash_browser import launch
    from playwright.sync_api import sync_playwright

    address = f"http://127.0.0.1:{port}/"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for line, throttle, aim in (
            ("loopback", None, "<= 1.3 s"),
            ("10 Mbit/s, 40 ms", (10e6 / 8, 40), "<= 1.7 s"),
        ):
            seen = [_first_load(browser, address, throttle) for _ in range(loads)]
            if throttle is None:
                yield "first load, transferred", f"{seen[0][0] / 1000:.0f} kB", "<= 950 kB"
            yield f"first load to chart, {line}", f"{statistics.median(s for _, s in seen):.2f} s", aim
        times = _clicks(browser, address, clicks)
        yield "click to repaint, p50 / p95", f"{_ms(times, 0.5)} / {_ms(times, 0.95)}", "p95 <= 150 ms"
        browser.close()


def _first_load(browser, address: str, throttle: tuple[float, float] | None) -> tuple[int, float]:  # type: ignore[no-untyped-def]
    """Bytes over the wire and seconds until the chart is there, with nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    transferred: list[int] = []
    devtools.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    if throttle:
        bandwidth, latency = throttle
        devtools.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": latency,
                "downloadThroughput": bandwidth,
                "uploadThroughput": bandwidth,
            },
        )
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#fan .main-svg .tracemedian, #fan .main-svg .scatterlayer", state="attached")
    took = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    context.close()
    return int(sum(transferred)), took


_REPAINT = """() => new Promise(done => {
    const graph = document.querySelector("#fan .js-plotly-plot");
    const began = performance.now();
    graph.once("plotly_afterplot", () => requestAnimationFrame(() => done(performance.now() - began)));
    document.querySelector("button[aria-label='NAME']").click();
})"""


def _clicks(browser, address: str, count: int) -> list[float]:  # type: ignore[no-untyped-def]
    """Seconds from a click on a preset to the frame after the chart was redrawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector("#fan .main-svg")
    names = ("30 days", "7 days", "14 days", "90 days")
    times = [page.evaluate(_REPAINT.replace("NAME", names[n % 4])) / 1000 for n in range(count)]
    page.close()
    return times[4:]


def answer_times(port: int, process: psutil.Process) -> Iterator[Row]:
    """Callbacks a second at concurrency 4, the workers' memory, and its growth over 10,000 requests."""
    load("127.0.0.1", port, 200, 4)
    best = load("127.0.0.1", port, 1200, 4)
    yield "forecast callbacks a second, 4 at once", f"{best.per_second:.0f}", ">= 120"
    yield "their time, p50 / p95", f"{_ms(best.times, 0.5)} / {_ms(best.times, 0.95)}", "p95 <= 100 ms"
    before = _memory(process)
    load("127.0.0.1", port, 10_000, 4)
    after = _memory(process)
    yield "memory of a worker", f"{after:.0f} MB", "<= 250 MB"
    yield "its growth over 10,000 requests", f"{after - before:+.1f} MB", "none"


def on_demand(data_dir: str, count: int = 60) -> Iterator[Row]:
    """Forecasts from origins that were never issued, inside this process."""
    import dash_data

    from btc_assets.factory import open_registry
    from btc_assets.settings import load as settings
    from btc_dash.data.context import open_context
    from btc_dash.data.on_demand import Forecaster
    from btc_dash.server.rate_limit import RateLimiter

    chosen = settings({}, data_dir=data_dir)
    context = open_context(chosen)
    forecaster = Forecaster(context.cache, lambda: open_registry(chosen), RateLimiter(burst=10 * count))
    times = []
    for back in range(count):
        origin = dash_data.NEWEST - dt.timedelta(days=60 + back % 55)
        began = time.perf_counter()
        forecaster._from_close(origin)
        times.append(time.perf_counter() - began)
    warm = times[20:]
    yield "forecast on request (3 models), p50 / p95", f"{_ms(warm, 0.5)} / {_ms(warm, 0.95)}", "p95 <= 5 ms"
    loaded = [name for name in ("tensorflow", "keras") if name in sys.modules]
    yield "training libraries loaded for it", ", ".join(loaded) or "none", "none"


def _memory(process: psutil.Process) -> float:
    """Resident memory of the largest worker, MB."""
    return max(child.memory_info().rss for child in process.children()) / 1e6


def _ms(times: list[float], share: float) -> str:
    ordered = sorted(times)
    return f"{1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]:.1f} ms"


def main() -> None:
    """Print the table."""
    rows = [("what", "measured", "aim"), *run()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
