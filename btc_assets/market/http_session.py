"""The one door to the network: a `requests` session that turns every bad answer into a typed error.

It follows no redirect, reads no endless body, and never hands an error page on as if it were data.
Imported only when a call is made: `requests` costs more than all the rest of `market`.
"""

from __future__ import annotations

import io
from typing import Any

import requests
import urllib3

from btc_assets.errors import BtcError, ConfigurationError, SourceRefused, SourceUnavailable

LARGEST_BODY = 8 * 2**20
"""Bytes read of one answer; a thousand candles are about 0.2 MB, a month's dump 4 kB."""

_PASSING = {-1000, -1001, -1003, -1006, -1007, -1008}
"""Binance error codes that can pass (spot API docs, "Error codes"): overload, timeouts, too many requests."""

_WRONG_SYMBOL = {-1100, -1121}
"""Binance error codes for a symbol that does not exist or cannot be one."""


WRONG_ADDRESS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
)


ELSEWHERE = (
    "set BTC_BINANCE_URL to https://data-api.binance.vision (market data only), or use BTC_SOURCE=archive"
)
"""What helps where Binance is blocked."""


class RateLimited(SourceUnavailable):
    """HTTP 429 or 418: stay away. ``retry_after`` is the header's text, empty when there was none."""

    def __init__(self, message: str, status: int, retry_after: str) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    def wait(self, default: float, digits: int) -> float:
        """Return the seconds to stay away; ``default`` where the header holds no number of so few digits."""
        text = self.retry_after.strip()
        return float(text) if text.isascii() and text.isdigit() and len(text) <= digits else default


class NotThere(SourceRefused):
    """HTTP 404: nothing lives at this address."""


class Session(requests.Session):
    """A session for reading from an exchange or its dumps; `send` returns complete 200 answers only.

    Raises from `send` (and so from `get`):
        SourceUnavailable: no connection, a timeout, a body that breaks off, 5xx, a passing error code.
        RateLimited: 429 or 418.
        NotThere: 404.
        ConfigurationError: there is no such trading pair; a proxy, a bundle of certificates or an address is
            wrong.
        SourceRefused: redirects, 403, 451 and every other status; a body without end.
    """

    advice = ELSEWHERE
    """What a person can do where the address is blocked."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send ``request`` and read the whole answer; see the class for what is raised."""
        kwargs |= {"stream": True, "allow_redirects": False}
        address = (request.url or "").split("?")[0]
        try:
            with super().send(request, **kwargs) as response:
                body = response.raw.read(LARGEST_BODY + 1, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _failure(error, address) from error
        if len(body) > LARGEST_BODY:
            raise SourceRefused(f"{address}: the answer is longer than {LARGEST_BODY >> 20} MiB")
        response.raw = io.BytesIO(body)
        if response.status_code != 200:
            raise refusal(response, address, self.advice)
        return response


def _failure(error: Exception, address: str) -> BtcError:
    """Return what an ``error`` means that came before any answer: what a setting causes does not pass."""
    cause = _cause(error)
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL):
        if "Tunnel connection failed: 5" not in cause:
            said = f"{address}: the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used"
            return ConfigurationError(f"{said}: {cause}")
    elif isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in cause:
        return ConfigurationError(
            f"{address}: HTTPS_PROXY or ALL_PROXY names a SOCKS proxy, which needs a package: "
            "pip install pysocks"
        )
    elif isinstance(error, WRONG_ADDRESS):
        return ConfigurationError(f"{address}: this is no address that can be asked: {cause}")
    elif "certificate verify failed" in cause or "CA certificate bundle" in cause:
        return ConfigurationError(
            f"{address}: its certificate cannot be verified; check REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and "
            f"the proxy: {cause}"
        )
    return SourceUnavailable(f"{address}: {cause}")


def refusal(response: requests.Response, address: str, advice: str = ELSEWHERE) -> BtcError:
    """Return the error that ``response``, which is not a 200, stands for; ``advice`` if it is blocked."""
    status = response.status_code
    code, said = _said(response)
    if status in (418, 429):
        return RateLimited(
            f"{address}: too many requests ({status}){said}", status, response.headers.get("Retry-After", "")
        )
    if status >= 500 or code in _PASSING:
        return SourceUnavailable(f"{address}: the server failed ({status}){said}")
    if code in _WRONG_SYMBOL:
        return ConfigurationError(f"{address}: the exchange does not know this BTC_SYMBOL{said}")
    if 300 <= status < 400:
        to = response.headers.get("Location", "nowhere")[:200]
        return SourceRefused(
            f"{address}: redirects to {to}, which is not followed; set the address you mean yourself"
        )
    if status == 404:
        return NotThere(f"{address}: not found (404){said}")
    if status == 451:
        return SourceRefused(f"{address}: not served to this country (451); {advice}")
    if status == 403:
        return SourceRefused(f"{address}: blocked by a firewall (403){said}; check the proxy, or {advice}")
    return SourceRefused(f"{address}: refused ({status}){said}")


def _said(response: requests.Response) -> tuple[int | None, str]:
    """Error code and message of a JSON error, Binance's or one of JSON-RPC, if the body is one."""
    try:
        body = response.json()
    except ValueError:
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    if isinstance(body.get("error"), dict):  # JSON-RPC, as Deribit speaks it
        body = {"code": body["error"].get("code"), "msg": body["error"].get("message")}
    code, message = body.get("code"), body.get("msg")
    text = f": {str(message)[:200]}" if message else ""
    return (code, f"{text} [{code}]") if isinstance(code, int) else (None, text)


def _cause(error: BaseException) -> str:
    """Return the root of a chain of network errors, in one line."""
    while isinstance(error.__context__, Exception):
        error = error.__context__
    return f"{type(error).__name__}: {error}"[:300]
