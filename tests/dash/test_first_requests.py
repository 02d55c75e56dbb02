"""What the first visitors of a fresh process get, however many come at once."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from dash_browser import launch
from dash_server import context_at
from loopback import free_port, wait_for
from playwright.sync_api import expect, sync_playwright
from web_process import process

from btc_assets.settings import Settings
from btc_dash.app import create_app

ADDRESSES = ("/", "/_dash-layout", "/_dash-dependencies", "/_dash-component-suites/dash/dcc/async-graph.js")
AT_ONCE = 8


def test_W10_requests_that_reach_a_fresh_app_together_are_all_answered(settings: Settings) -> None:
    """Dash called itself set up before it was: 90 of 96 such requests got a 500."""
    for _ in range(3):
        app = create_app(context=context_at(settings))
        gate = Barrier(4 * AT_ONCE)

        def ask(number: int, app: object = app, gate: Barrier = gate) -> int:
            gate.wait()
            status: int = app.server.test_client().get(ADDRESSES[number % 4]).status_code  # type: ignore[attr-defined]
            return status

        with ThreadPoolExecutor(4 * AT_ONCE) as pool:
            assert set(pool.map(ask, range(4 * AT_ONCE))) == {200}


def test_W10_workers_answer_their_first_requests_also_when_they_replace_one_another(filled: Path) -> None:
    """Two workers, each replaced after some dozen requests, as ``max_requests`` does in the long run."""
    port = free_port()
    recycling = "--max-requests 12 --max-requests-jitter 4"
    with process(filled, PORT=str(port), WEB_CONCURRENCY="2", GUNICORN_CMD_ARGS=recycling) as server:
        wait_for(f"http://127.0.0.1:{port}/health")

        def ask(number: int) -> int:
            address = f"http://127.0.0.1:{port}{ADDRESSES[number % 4]}"
            for _ in range(40):
                try:
                    with urllib.request.urlopen(address, timeout=30) as response:
                        return int(response.status)
                except urllib.error.HTTPError as refused:
                    return refused.code
                except OSError:  # a worker that has left took its queue along: asked again, as a browser does
                    time.sleep(0.05)
            return 0

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert set(pool.map(ask, range(60))) == {200}
        assert server.poll() is None


def wait_for_the_port(port: int, timeout: float = 60) -> None:
    """Until something listens; no request is made, so that the browser's are the first."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "nothing listens"
            time.sleep(0.02)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.browser
def test_W10_the_first_view_after_each_of_20_starts_has_its_chart(filled: Path) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for _ in range(20):
            port = free_port()
            with process(filled, PORT=str(port), WEB_CONCURRENCY="2") as server:
                page = browser.new_page()
                bad: list[str] = []
                page.on("response", lambda r, bad=bad: bad.append(r.url) if r.status >= 500 else None)
                wait_for_the_port(port)
                page.goto(f"http://127.0.0.1:{port}/", timeout=120_000)
                expect(page.locator("#fan .main-svg").first).to_be_attached(timeout=120_000)
                assert bad == []
                page.close()
                assert server.poll() is None
        browser.close()
