"""What a stored network must have in common with this code before it may be used."""

from __future__ import annotations

import hashlib

from btc_assets.modeling.features import FEATURES

CODE_VERSION = 3
"""Raised by hand whenever anchors, inputs or outputs of the networks change their meaning."""


def feature_digest() -> str:
    """Hash of the features' names, order, formulas and windows."""
    text = "\n".join(f"{f.name}\t{f.formula}\t{f.window}" for f in FEATURES)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
