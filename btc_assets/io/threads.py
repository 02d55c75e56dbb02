"""Calls side by side, none of which keeps anybody waiting for longer than agreed, whatever it hangs in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from queue import Empty, SimpleQueue
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def call_all(calls: Mapping[K, Callable[[], T]], seconds: float, at_once: int) -> dict[K, T | BaseException]:
    """Run ``calls``, up to ``at_once`` at a time; return what each gave or raised within ``seconds``.

    What is not over by then is left out: its thread ends by itself and holds up no exit. Time-outs of sockets
    start anew with every byte and do not cover name resolution; this does.
    """
    given_up = time.monotonic() + seconds
    waiting: SimpleQueue[K] = SimpleQueue()
    over: SimpleQueue[tuple[K, T | BaseException]] = SimpleQueue()
    for key in calls:
        waiting.put(key)

    def work() -> None:
        while time.monotonic() < given_up:
            try:
                key = waiting.get_nowait()
            except Empty:
                return
            try:
                over.put((key, calls[key]()))
            except BaseException as error:  # handed over to the caller's thread
                over.put((key, error))

    for _ in range(min(at_once, len(calls))):
        threading.Thread(target=work, name="call-all", daemon=True).start()
    found: dict[K, T | BaseException] = {}
    while len(found) < len(calls):
        try:
            key, outcome = over.get(timeout=max(0.0, given_up - time.monotonic()))
        except Empty:
            break
        found[key] = outcome
    return found
