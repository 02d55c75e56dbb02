"""What a stored network must have in common with this code before it may be used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from btc_assets.modeling.features import FEATURES, NAMES

CODE_VERSION = 3
"""Raised by hand whenever anchors, inputs or outputs of the networks change their meaning."""


def feature_digest() -> str:
    """Hash the features' names, order, formulas and windows."""
    text = "\n".join(f"{f.name}\t{f.formula}\t{f.window}" for f in FEATURES)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_this_code() -> dict[str, Any]:
    """Return what the manifest of a vintage says if this code may use it."""
    return {"code_version": CODE_VERSION, "features": list(NAMES), "feature_digest": feature_digest()}


def is_of_this_code(manifest: Mapping[str, Any]) -> bool:
    """Return whether this code may use the vintage with ``manifest``."""
    return all(manifest.get(name) == value for name, value in of_this_code().items())
