"""Questions to calendars, time-stamping authorities and explorers: small answers, within a fixed time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from queue import Empty, SimpleQueue
from typing import TypeVar

from btc_assets import __version__
from btc_assets.errors import LedgerError

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
    """Ask all ``questions`` side by side; none keeps anybody waiting for over ``seconds``.

    What is not answered by then is an error; its thread ends by itself and holds up no exit.
    """
    waiting: SimpleQueue[K] = SimpleQueue()
    answers: SimpleQueue[tuple[K, T | LedgerError]] = SimpleQueue()
    given_up = time.monotonic() + seconds
    for key in questions:
        waiting.put(key)

    def work() -> None:
        while time.monotonic() < given_up:
            try:
                key = waiting.get_nowait()
            except Empty:
                return
            try:
                answers.put((key, questions[key]()))
            except LedgerError as error:
                answers.put((key, error))
            except Exception as error:  # a thread has nobody else to tell
                answers.put((key, LedgerError(f"{type(error).__name__}: {error}")))

    for _ in range(min(AT_ONCE, len(questions))):
        threading.Thread(target=work, name="ask-all", daemon=True).start()
    found: dict[K, T | LedgerError] = {}
    while len(found) < len(questions):
        try:
            key, answer = answers.get(timeout=max(0.0, given_up - time.monotonic()))
        except Empty:
            break
        found[key] = answer
    late = LedgerError(f"no answer within {seconds:g} s")
    return {key: found.get(key, late) for key in questions}
