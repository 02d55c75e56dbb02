"""Frees what TensorFlow keeps of each training: a walk of a hundred refits would hold gigabytes of it.

Each traced step registers its custom gradients (of silu, of the optimiser's reduction) under a new name, for
as long as the process lives, and each holds the whole graph it was traced in: about 20 MB a refit of both
networks. Neither TensorFlow 2.21 nor ``keras.backend.clear_session`` takes them out again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_PREFIX = "CustomGradient-"


@contextmanager
def released() -> Iterator[None]:
    """Free on leaving what was traced inside; models built inside can then be used but not trained."""
    from tensorflow.python.framework import ops

    # Not public, and there is no public way; where a release has moved it, nothing is freed, as before.
    registry = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith(_PREFIX):
                del registry[name]
        gc.collect()
