"""What ends a program that was started in a terminal, by a script, or as a service: one way for all."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C, SIGTERM and, unless ``nohup`` has it ignored, a closed terminal.

    A background job of a script inherits that SIGINT is ignored, and would be interrupted by nothing.
    """
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the same signals: what is being cleaned up is cleaned up once, and wholly."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: object) -> None:
    if number == signal.SIGHUP:
        _forget_terminal()
    raise KeyboardInterrupt


def _forget_terminal() -> None:
    """Let what is still said go nowhere: writing to a terminal that was closed is an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
