"""The page's own /metrics, of a real server with two processes."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from loopback import free_port, wait_for
from promtool import promtool, values
from web_process import process


def test_the_page_s_metrics_are_on_a_port_of_their_own(filled: Path) -> None:
    """Off unless asked for; never on the page's own port, whatever a header says."""
    page, own = free_port(), free_port()
    with process(filled, BTC_WEB_PORT=str(page), BTC_WEB_METRICS_PORT=str(own)):
        for _ in range(3):
            wait_for(f"http://127.0.0.1:{page}/api/v1/health")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{page}/nonsense/{'x' * 50}", timeout=30)
        text = wait_for(f"http://127.0.0.1:{own}/metrics").decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{page}/metrics",
            headers={"X-Forwarded-Port": str(own), "Host": f"127.0.0.1:{own}"},
        )
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(request, timeout=30)
        assert b"btc_http_requests" not in refused.value.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{own}/", timeout=30)
    counted = values(text, "btc_http_requests_total")
    assert counted[("GET", "/api/v1/health", "200")] == 3
    assert counted[("GET", "/<path:path>", "404")] == 1
    assert not [route for labels in counted for route in labels if "nonsense" in route]
    assert values(text, "btc_http_request_seconds_count")[("/api/v1/health",)] == 3
    promtool("check", "metrics", given=text)
