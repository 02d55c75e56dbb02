"""How the web app is served: two processes, each of which answers from memory.

Read by gunicorn (``python -m btc_dash`` starts it so). ``BTC_WEB_HOST`` and ``BTC_WEB_PORT`` say where
to listen, ``PORT`` (as hosting platforms set it) goes before the latter, ``WEB_CONCURRENCY`` counts
processes. polars must not be loaded before the fork (its threads do not survive one), so nothing of
ours is preloaded; Dash, which has no threads, is.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from btc_assets import settings as configuration
from btc_assets.errors import ConfigurationError
from btc_assets.supervision.loading import loading_for_good
from btc_dash.server import admission


def _whole(name: str, default: int, most: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= most:
        raise ConfigurationError(f"{name} = {text!r:.40}: a whole number from 1 to {most} is needed")
    return int(text)


_settings = configuration.load()

wsgi_app = "btc_dash.wsgi:server"
bind = [f"{configuration.in_url(_settings.web_host)}:{_whole('PORT', _settings.web_port, 65535)}"]
if _settings.web_metrics_port:
    bind.append(f"{configuration.in_url(_settings.metrics_host)}:{_settings.web_metrics_port}")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="btc-metrics-")
workers = _whole("WEB_CONCURRENCY", 2, 64)
worker_class = "btc_dash.server.slow_clients.BufferingWorker"
threads = admission.MAX_CONCURRENT + admission.MAX_QUEUED + 28
"""Threads wait for their turn (server/admission.py); some are always left to refuse whoever finds no room."""
timeout = 60
graceful_timeout = 15
keepalive = 5
max_requests = 50_000
max_requests_jitter = 5_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir()  # noqa: S108
forwarded_allow_ips = ""
"""No X-Forwarded-* is believed here: server/middleware.py does so, as BTC_WEB_PROXIES says."""
os.environ.pop("SCRIPT_NAME", None)
limit_request_line = 4094
limit_request_fields = 60
accesslog = None
loglevel = "warning"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "btc_dash": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.error": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
    },
}
"""One line a request with its id, from server/middleware.py; of gunicorn itself only what went wrong."""


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the queue and memory of a process that is gone; what it counted stays counted."""
    if _settings.web_metrics_port:
        from prometheus_client import multiprocess

        forget: Any = multiprocess.mark_process_dead
        forget(worker.pid)


def on_exit(_server: Any) -> None:
    """Remove the files that counted."""
    if _settings.web_metrics_port:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def on_starting(_server: Any) -> None:
    """Load what is safe to share before the workers are forked."""
    with loading_for_good():
        import dash  # noqa: F401
        import flask_compress  # noqa: F401
