"""Save a Keras model as the same bytes every time."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_keras(model: Any, path: Path) -> None:
    """Write ``model`` to ``path`` (.keras) without clock and memory addresses: same model, same bytes.

    A .keras file is a zip of config.json, metadata.json and the weights; the first two hold no secrets and
    no code. The second and the zip's own headers say when they were written, and the first names objects
    that layers share by where they lay in memory: they are numbered instead.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(parts["metadata.json"])
    metadata.pop("date_saved", None)
    parts["metadata.json"] = json.dumps(metadata, sort_keys=True).encode()
    parts["config.json"] = _numbered(parts["config.json"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    path.write_bytes(buffer.getvalue())


def _numbered(config: bytes) -> bytes:
    """Return ``config`` with shared objects named 1, 2, ... in the order in which they appear."""
    numbers: dict[bytes, int] = {}
    return re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda match: match[1] + str(numbers.setdefault(match[2], len(numbers) + 1)).encode(),
        config,
    )
