"""Keras as this project means it, whatever the user's own settings of it are."""

from __future__ import annotations

import os
import re
import sys
import tempfile

from btc_assets.supervision.loading import loading_for_good

_PINNED = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": f"{os.devnull}/keras",  # no folder: ~/.keras/keras.json is neither read nor written
}
_LOG_LINE = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} \d\d:\d\d:")
"""What TensorFlow's C++ writes while it is loaded, before it heeds any level: no news for anybody."""

_LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def pin_keras() -> None:
    """Set what Keras reads from the environment when it is imported: a fit shall not depend on it."""
    os.environ.update(_PINNED)
    for name in _LIMITS:
        os.environ.pop(name, None)


def import_tensorflow() -> None:
    """Import TensorFlow without its lines about itself; anything else on standard error is passed on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept = os.dup(2)
    # Collections that look at all of TensorFlow would take a third of loading it; and each fit makes three.
    with tempfile.TemporaryFile() as said, loading_for_good():
        os.dup2(said.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _LOG_LINE.match(line)))
