"""The SHA-256 that a checksum file states, in any of the layouts that common tools write."""

from __future__ import annotations

import re

LONGEST = 64 * 1024
"""Bytes of a checksum file that are looked at: some list every file of a folder."""

_SUM = re.compile(r"\\?([0-9a-f]{64})(?:\s+[ *]?(\S.*))?", re.ASCII | re.IGNORECASE)
"""``hash  name`` and ``hash *name`` of sha256sum, or the hash alone."""
_BSD = re.compile(r"SHA2?-?256\s*\((.+)\)\s*=\s*([0-9a-f]{64})", re.ASCII | re.IGNORECASE)
"""``SHA256 (name) = hash`` of BSD and of openssl."""


def stated_sha256(content: bytes, name: str) -> str | None:
    """Return the hash (hex, lower case) that ``content`` states for the file ``name``; None: it states none.

    Folders before the name, upper case and blank lines are harmless; of several lines the one that names
    the file counts.

    Examples:
        >>> stated_sha256(b"SHA256 (./a.zip) = " + b"AB" * 32, "a.zip") == "ab" * 32
        True
        >>> stated_sha256(b"ab" * 32 + b"  other.zip", "a.zip") is None
        True
    """
    for line in content[:LONGEST].decode("utf-8-sig", "replace").splitlines():
        text = line.strip()
        if match := _BSD.fullmatch(text):
            named, digest = match[1], match[2]
        elif match := _SUM.fullmatch(text):
            named, digest = match[2] or name, match[1]
        else:
            continue
        if re.split(r"[/\\]", named)[-1].casefold() == name.casefold():
            return digest.lower()
    return None
