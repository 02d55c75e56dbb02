"""Questions to calendars, time-stamping authorities and explorers: small answers, within a fixed time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from btc_assets import __version__
from btc_assets.errors import LedgerError
from btc_assets.io.threads import call_all

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

AT_ONCE = 8
"""Questions that are asked at the same time."""


def ask(
    address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, largest: int = 65_536
) -> bytes:
    """Get ``address``, or post ``body`` to it, and return the whole answer; no redirect is followed.

    Raises:
        LedgerError: there is no answer, it is not a 200, or longer than ``largest`` bytes.
    """
    import requests
    import urllib3

    said = {"User-Agent": f"btc-assets/{__version__}", **(headers or {})}
    try:
        with requests.request(
            "GET" if body is None else "POST",
            address,
            data=body,
            headers=said,
            timeout=(5, 10),
            allow_redirects=False,
            stream=True,
        ) as response:
            answer: bytes = response.raw.read(largest + 1, decode_content=True)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise LedgerError(f"{address} did not answer: {type(error).__name__}") from error
    if response.status_code != 200:
        raise LedgerError(f"{address} answered with status {response.status_code}")
    if len(answer) > largest:
        raise LedgerError(f"{address} answered with more than {largest:,} bytes")
    return answer


def ask_all(questions: Mapping[K, Callable[[], T]], seconds: float) -> dict[K, T | LedgerError]:
    """Ask all ``questions`` side by side; what fails, or is not answered within ``seconds``, is an error."""
    found: dict[K, T | LedgerError] = dict.fromkeys(questions, LedgerError(f"no answer within {seconds:g} s"))
    for key, answer in call_all(questions, seconds, AT_ONCE).items():
        if isinstance(answer, BaseException) and not isinstance(answer, LedgerError):
            answer = LedgerError(f"{type(answer).__name__}: {answer}")
        found[key] = answer
    return found
