"""One connection a process: the client's state is global, its import slow, its defaults interactive."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from pathlib import Path
from typing import Any

from btc_assets.errors import ConfigurationError, SourceUnavailable, StorageUnavailable, Unsupported
from btc_assets.io.retries import retrying
from btc_assets.market.retry import run_with_timeout
from btc_assets.settings import Settings
from btc_assets.storage.hopsworks.errors import errors, untrusted

log = logging.getLogger(__name__)

LOGIN_DEADLINE = 60.0
"""Seconds for the whole login, some ten requests."""

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 120.0
"""Seconds to reach the server, and for it to begin to answer; the client itself would wait for ever."""

RETRIES = 3
"""How often a request that may be repeated is, beyond the first time."""

_lock = threading.RLock()
_project: Any = None
_logged_in_as: tuple[str, str, str] | None = None


def connect(settings: Settings) -> Any:
    """Return the client's project handle for ``settings``; logs in if this process has not done so.

    Raises:
        ConfigurationError: the extra is not installed, the key or project is missing or refused.
        StorageUnavailable: the server does not answer in time.
        Unsupported: the process is logged in elsewhere; the client holds one login only.
    """
    global _project, _logged_in_as
    key, host = api_key(settings), settings.hopsworks_host or os.environ.get("HOPSWORKS_HOST", "")
    if not settings.hopsworks_project:
        raise ConfigurationError("BTC_HOPSWORKS_PROJECT is not set: name the Hopsworks project to use")
    wanted = (host, settings.hopsworks_project, key)
    with _lock:
        if _logged_in_as is None:
            _project = _login(host, settings.hopsworks_project, key, settings.cache_dir)
            _logged_in_as = wanted
        elif _logged_in_as != wanted:
            place = _logged_in_as[0] or "the Hopsworks cloud"
            raise Unsupported(
                f"this process is logged in to {place}, project {_logged_in_as[1]}; the Hopsworks client "
                "holds one login a process, so use another process for another project or key"
            )
        return _project


def api_key(settings: Settings) -> str:
    """Return the API key from BTC_HOPSWORKS_API_KEY, HOPSWORKS_API_KEY or the file HOPSWORKS_API_KEY_FILE.

    Raises:
        ConfigurationError: none is set, or it has a blank or line break in it; never shows the value.
    """
    name, key = "BTC_HOPSWORKS_API_KEY", settings.hopsworks_api_key.get_secret_value()
    if not key and (key := os.environ.get("HOPSWORKS_API_KEY", "")):
        name = "HOPSWORKS_API_KEY"
    if not key and (path := os.environ.get("HOPSWORKS_API_KEY_FILE", "")):
        name = "HOPSWORKS_API_KEY_FILE"
        try:
            key = Path(path).read_text().removesuffix("\n")
        except OSError as error:
            raise ConfigurationError(f"{name}: cannot read {path}: {error.strerror}") from error
    if not key:
        raise ConfigurationError(
            "no Hopsworks API key: set BTC_HOPSWORKS_API_KEY, HOPSWORKS_API_KEY or HOPSWORKS_API_KEY_FILE"
        )
    if any(c.isspace() or not c.isprintable() for c in key):
        raise ConfigurationError(f"{name} holds a blank or a line break; paste the key alone")
    return key


def _login(host: str, project: str, key: str, cache: Path) -> Any:
    name, _, port = host.partition(":")
    certificates = cache / "hopsworks"
    certificates.mkdir(parents=True, exist_ok=True, mode=0o700)
    hopsworks = _import_quietly()
    from hopsworks_common.client.exceptions import HopsworksSSLClientError, ProjectException

    def run() -> Any:
        return hopsworks.login(
            host=name or None,  # None: the client's own cloud
            port=int(port or 443),
            project=project,
            api_key_value=key,
            engine="python",
            hostname_verification=True,
            cert_folder=str(certificates),
        )

    action = f"log in to {host or 'the Hopsworks cloud'}, project {project}"
    try:
        with errors(action):
            found = run_with_timeout(LOGIN_DEADLINE, run, action)
    except SourceUnavailable:
        raise StorageUnavailable(f"cannot {action}: no answer within {LOGIN_DEADLINE:.0f} s") from None
    except HopsworksSSLClientError as error:
        raise ConfigurationError(untrusted(action)) from error
    except ProjectException as error:
        raise ConfigurationError(f"cannot {action}: there is no such project for this key") from error
    if found is None:
        raise ConfigurationError(f"cannot {action}: there is no such project for this key")
    _bound_requests()
    return found


def _import_quietly() -> Any:
    """Import the client without what it does to logging and warnings on the way."""
    root, formatter = logging.getLogger(), warnings.formatwarning
    handlers, level = list(root.handlers), root.level
    try:
        import hopsworks
    except ImportError as error:
        raise ConfigurationError("Hopsworks is not installed: install btc-assets[hopsworks]") from error
    finally:
        warnings.formatwarning = formatter
        root.handlers[:] = handlers
        root.setLevel(level)
    return hopsworks


def _bound_requests() -> None:
    """Give every further request a time-out, and those that may be repeated three retries."""
    from hopsworks_common import client
    from requests.adapters import HTTPAdapter
    from requests.exceptions import ChunkedEncodingError
    from urllib3.util import Retry

    class Bounded(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            kwargs["timeout"] = kwargs.get("timeout") or (CONNECT_TIMEOUT, READ_TIMEOUT)
            # urllib3 repeats what fails before the answer begins; here, what is cut in the middle of one.
            whole = request.method == "GET" and not kwargs.get("stream")
            for attempt in retrying().retry_context(
                on=ChunkedEncodingError, attempts=RETRIES if whole else 1, wait_initial=0.2, wait_max=2.0
            ):
                with attempt:
                    response = super().send(request, *args, **kwargs)
                    if whole:
                        _ = response.content
            return response

    retry = Retry(
        total=RETRIES,
        backoff_factor=0.2,
        backoff_jitter=0.2,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods={"GET", "HEAD"},
        raise_on_status=False,
    )
    client._get_instance()._session.mount("https://", Bounded(max_retries=retry))
