"""Processes that work on the same task as this one, and do not outlive it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

Work = Callable[[object, int, Callable[[], None]], None]
"""Works on a task as the given worker; calls the last argument between pieces of work."""


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def helped(work: Work, task: object, count: int) -> Iterator[None]:
    """Let ``count`` more processes do ``work`` on ``task``, numbered from 1, and wait for them at the end.

    They are ended if this process fails or is interrupted; if it is killed, each ends with its piece of work.
    One that fails by itself is logged: the others do its share.
    """
    fresh = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    helpers = [
        fresh.Process(target=_help, args=(work, task, worker, os.getpid())) for worker in range(1, count + 1)
    ]
    try:
        for helper in helpers:
            helper.start()
        yield
    except BaseException:
        for helper in helpers:
            if helper.pid is not None:
                helper.terminate()
        raise
    finally:
        for helper in helpers:
            if helper.pid is not None:
                helper.join()
    for helper in helpers:
        if helper.exitcode:
            log.warning("a helping process ended with %s; the others did its share", helper.exitcode)


def _help(work: Work, task: object, worker: int, parent: int) -> None:
    def go_on() -> None:
        if os.getppid() != parent:
            raise SystemExit(1)

    work(task, worker, go_on)
