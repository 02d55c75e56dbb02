"""Trying again, within one deadline: what can pass is retried with jitter, nothing may hang for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from btc_assets.errors import SourceUnavailable
from btc_assets.io.retries import retrying
from btc_assets.io.threads import call_all

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait for what, in seconds; ``deadline`` covers a whole question, retries included."""

    deadline: float = 120.0
    connect: float = 5.0
    read: float = 20.0
    first_wait: float = 0.5
    longest_wait: float = 10.0
    limit_wait: float = 60.0
    """After a 429 without a usable Retry-After: the exchange counts weight by the minute."""
    ban_wait: float = 120.0
    """After a 418 without a usable Retry-After: the shortest ban."""

    def begin(self) -> float:
        """Return the instant of ``time.monotonic()`` at which a question asked now is given up."""
        return time.monotonic() + self.deadline


class RetryAfter(SourceUnavailable):
    """A failure that is retried after ``wait`` seconds and no earlier."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


def retry_until(call: Callable[[], T], retry: RetryPolicy, deadline: float, what: str) -> T:
    """Call ``call()``, again and again while it raises `SourceUnavailable` and ``deadline`` has not come.

    Args:
        call: one attempt; it may hang.
        retry: the waits between attempts (exponential, with jitter).
        deadline: when to give up, on the clock of ``time.monotonic()``.
        what: what is asked, for errors.

    Raises:
        SourceUnavailable: the time is up; the message holds the last two failures that differ.
    """
    failures: list[str] = []

    def worth_a_retry(error: Exception) -> bool | float:
        if not isinstance(error, SourceUnavailable):
            return False
        failures.append(str(error))
        left = deadline - time.monotonic()
        wait = error.wait if isinstance(error, RetryAfter) else 0.0
        return False if left <= 0 or wait >= left else wait or True

    caller = retrying().RetryingCaller(
        attempts=None,
        timeout=max(deadline - time.monotonic(), 0.001),
        wait_initial=retry.first_wait,
        wait_max=min(retry.longest_wait, retry.deadline / 10),
        wait_jitter=retry.first_wait,
    )
    try:
        found: T = caller(worth_a_retry, lambda: run_with_timeout(deadline - time.monotonic(), call, what))
    except SourceUnavailable as error:
        earlier = next((failure for failure in reversed(failures) if failure != str(error)), None)
        if earlier is None:
            raise
        raise SourceUnavailable(f"{error}; before that: {earlier}") from error
    return found


def run_with_timeout(seconds: float, call: Callable[[], T], what: str) -> T:
    """Run ``call()`` and give it up after ``seconds``, whatever it hangs in.

    Raises:
        SourceUnavailable: the time is up; or whatever ``call`` raises.
    """
    for outcome in call_all({what: call}, seconds, 1).values():
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
    raise SourceUnavailable(f"{what}: no complete answer in time")
