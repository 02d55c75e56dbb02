"""Wrap every request: limits, security headers, request ids, errors without details."""

from __future__ import annotations

import json
import logging
import secrets
import time
from typing import Any

from dash import Dash
from dash.exceptions import DependencyException
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from btc_dash.server import metrics
from btc_dash.server.admission import AdmissionControl, Overloaded
from btc_dash.server.problems import problem
from btc_dash.server.rate_limit import TooManyRequests

log = logging.getLogger("btc_dash.requests")

MAX_BODY = 64 * 1024
"""Bytes a request may carry; the pages' own callbacks need less than 8 kB."""

MAX_QUERY = 2000
CALLBACK = "/_dash-update-component"
HEALTH = "/health"
"""Answered however many wait: a load balancer must not take a busy process for a dead one."""

_FILES = ("/assets/", "/_dash-component-suites/")
"""Addresses whose every request is not worth a line in the log."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_CSP = (
    "default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)


def install(
    app: Dash, proxies: int, admission_control: AdmissionControl | None = None, metrics_port: int = 0
) -> None:
    """Put the limits and headers on ``app``'s server, which trusts ``proxies`` reverse proxies in front."""
    admission_control = admission_control or AdmissionControl()
    server: Flask = app.server
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    if proxies:
        server.wsgi_app = ProxyFix(server.wsgi_app, proxies, proxies, proxies)  # type: ignore[method-assign]
    csp = _CSP.format(hashes=" ".join(app.csp_hashes()))
    server.before_request(lambda: _admit(app, admission_control))
    server.teardown_request(lambda _error: admission_control.release() if g.pop("inside", False) else None)
    server.after_request(lambda response: _finish(response, csp))
    server.register_error_handler(HTTPException, _refused)
    server.register_error_handler(TooManyRequests, _busy)
    server.register_error_handler(Overloaded, _busy)
    server.register_error_handler(DependencyException, _no_such_file)
    server.register_error_handler(Exception, _failed)
    if metrics_port:
        metrics.measure(server, admission_control)
        vars(server)["wsgi_app"] = metrics.MetricsPort(server.wsgi_app, metrics_port)


def client() -> str:
    """Return whom the request's cost is counted for."""
    return request.remote_addr or "unknown"


def _admit(app: Dash, admission_control: AdmissionControl) -> Response | None:
    g.began, g.request_id = time.perf_counter(), secrets.token_hex(8)
    if len(request.query_string) > MAX_QUERY:
        return problem(414, "Address too long", f"The query string may have {MAX_QUERY} bytes.")
    if (request.content_length or 0) > MAX_BODY:
        return problem(413, "Request too large", f"A request may carry {MAX_BODY} bytes.")
    if request.path != HEALTH:
        admission_control.acquire()
        g.inside = True
    if request.path == CALLBACK and request.method == "POST" and not _is_ours(app, request.get_data()):
        return problem(400, "Bad callback", "This request was not made by a page of this site.")
    return None


def _is_ours(app: Dash, body: bytes) -> bool:
    """Return whether ``body`` calls one of our callbacks with exactly the inputs and states it declares."""
    try:
        call = json.loads(body)
        known = app.callback_map[call["output"]]
        changed = call.get("changedPropIds", [])
        return (
            _same_outputs(call["outputs"], call["output"])
            and _matches(call.get("inputs", []), known["inputs"])
            and _matches(call.get("state", []), known["state"])
            and isinstance(changed, list)
            and all(isinstance(name, str) for name in changed)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _same_outputs(given: Any, key: str) -> bool:
    """Return whether ``given`` are the outputs that Dash's name for the callback lists."""
    parts = [part.rsplit(".", 1) for part in key.strip(".").split("...")]
    declared = [{"id": name, "property": prop} for name, prop in parts]
    shown = given if key.startswith("..") else [given]
    return isinstance(shown, list) and [{"id": o["id"], "property": o["property"]} for o in shown] == declared


def _matches(given: Any, declared: list[dict[str, Any]]) -> bool:
    return isinstance(given, list) and [(part["id"], part["property"]) for part in given] == [
        (part["id"], part["property"]) for part in declared
    ]


def _finish(response: Response, csp: str) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", csp)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if request.path.startswith("/_dash-") and "Cache-Control" not in response.headers:
        of_dash = request.path.startswith("/_dash-component-suites/") and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=86400" if of_dash else "no-store"
    took = (time.perf_counter() - g.get("began", time.perf_counter())) * 1000
    quiet = request.path.startswith(_FILES) and response.status_code < 400
    level = logging.WARNING if response.status_code >= 500 else logging.DEBUG if quiet else logging.INFO
    log.log(level, "%s %s %a %d %.0f ms", g.get("request_id"), request.method, request.path[:200],
            response.status_code, took)  # fmt: skip
    return response


def _refused(error: HTTPException) -> Response:
    plain = str(type(error).description or error.name)  # without anything the visitor sent
    answer = problem(error.code or 500, error.name, plain)
    if allow := dict(error.get_headers()).get("Allow"):
        answer.headers["Allow"] = allow
    return answer


def _busy(error: TooManyRequests | Overloaded) -> Response:
    many = isinstance(error, TooManyRequests)
    answer = problem(429 if many else 503, f"Too many {'requests' if many else 'visitors'}", str(error))
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _no_such_file(_error: DependencyException) -> Response:
    """Answer for a file of a library that no page of ours uses."""
    return problem(404, "Not Found", "There is no such file.")


def _failed(error: Exception) -> Response:
    log.exception("%s %s %a failed", g.get("request_id"), request.method, request.path[:200], exc_info=error)
    return problem(500, "Something went wrong", f"It was noted as {g.get('request_id', 'unknown')}.")
