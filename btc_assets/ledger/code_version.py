"""Which code computed a forecast: its release, and a hash of the very files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import btc_assets

COMPUTES = ("contracts.py", "vocabulary.py", "modeling", "market/calendar.py")
"""What a forecast's bytes can depend on, as paths in the package."""


@cache
def code_version() -> str:
    """Return ``RELEASE+HASH``: the hash covers the bytes of every file that computes a forecast."""
    root = Path(btc_assets.__file__).parent
    files = sorted(file for part in COMPUTES for file in _files(root / part))
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return f"{btc_assets.__version__}+{digest.hexdigest()[:16]}"


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))
