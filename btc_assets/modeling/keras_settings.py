"""Keras as this project means it, whatever the user's own settings of it are."""

from __future__ import annotations

import os

_PINNED = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": f"{os.devnull}/keras",  # no folder: ~/.keras/keras.json is neither read nor written
}
_LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def pin_keras() -> None:
    """Set what Keras reads from the environment when it is imported: a fit shall not depend on it."""
    os.environ.update(_PINNED)
    for name in _LIMITS:
        os.environ.pop(name, None)
