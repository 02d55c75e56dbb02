"""Load what a process keeps to its end without looking at it again and again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading_for_good() -> Iterator[None]:
    """Collect no garbage while modules are imported, and leave them out of every later collection.

    Nor are they looked at when the process ends, or copied by a fork whose collections would touch them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
