"""The page's own /metrics: requests, latencies, queue, memory; on a port of its own, never the page's.

The processes of the page share what they counted in the files of ``PROMETHEUS_MULTIPROC_DIR``.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

if TYPE_CHECKING:
    from btc_dash.server.admission import AdmissionControl

METHODS = frozenset({"GET", "HEAD", "POST"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


def measure(server: Flask, admission: AdmissionControl) -> None:
    """Count each request by route, method and status; all three are of a fixed few."""
    from prometheus_client import Counter, Gauge, Histogram

    requests = Counter("btc_http_requests", "Answers of the page.", ["route", "method", "status"])
    seconds = Histogram("btc_http_request_seconds", "How long they took.", ["route"], buckets=BUCKETS)
    inside = Gauge("btc_http_inside", "Requests worked on or waiting.", multiprocess_mode="livesum")
    memory = Gauge("btc_http_memory_bytes", "Most memory held, all processes.", multiprocess_mode="livesum")

    def count(response: Response) -> Response:
        rule = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        requests.labels(rule, method, str(response.status_code)).inc()
        seconds.labels(rule).observe(time.perf_counter() - g.get("began", time.perf_counter()))
        memory.set(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return response

    def leave(_error: BaseException | None) -> None:
        inside.set(max(admission.inside - int(bool(g.get("inside"))), 0))  # it is released right after this

    server.after_request(count)
    server.teardown_request(leave)


class MetricsPort:
    """Serves /metrics to who comes by ``port``, and nothing else there; everybody else gets ``app``.

    It goes by the port of the socket, which no header changes.
    """

    def __init__(self, app: Application, port: int) -> None:
        self._app = app
        self._port = str(port)
        self._metrics: Application = _metrics()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("SERVER_PORT") != self._port:
            return self._app(environ, start)
        if environ.get("PATH_INFO") == "/metrics":
            return self._metrics(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics is here\n"]


def _metrics() -> Any:
    from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess

    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return make_wsgi_app()
    registry = CollectorRegistry()
    shared: Any = multiprocess.MultiProcessCollector
    shared(registry)
    return make_wsgi_app(registry)
