"""The SHA-256 that a checksum file states, in any of the layouts that common tools write."""

from __future__ import annotations

import re

LONGEST = 64 * 1024
"""Bytes of a checksum file that are looked at: some list every file of a folder."""

_HASH = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{2}(?: [0-9a-f]{2}){31})(?![0-9a-f])", re.IGNORECASE
)
"""A SHA-256, also with a blank between its bytes, as old versions of certutil write it."""
_FILE = re.compile(r"[^/\\\s():*=]+\.(?:zip|csv)", re.IGNORECASE)
"""The name of a file that a line speaks of, without folders."""


def stated_sha256(content: bytes, name: str) -> str | None:
    """Return the hash (hex, lower case) that ``content`` states for the file ``name``; None: it states none.

    Folders before the name, upper case, UTF-16 and blank lines are harmless; of several lines the one that
    names the file counts, or the first in a text that speaks of no file but it: certutil and PowerShell
    give name and hash a line each.

    Examples:
        >>> stated_sha256(b"SHA256 (./a.zip) = " + b"AB" * 32, "a.zip") == "ab" * 32
        True
        >>> stated_sha256(b"ab" * 32 + b"  other.zip", "a.zip") is None
        True
    """
    start = content[:LONGEST]
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = start.decode("utf-16" if wide else "utf-8-sig", "replace")
    lines = [line.strip() for line in text.splitlines()]
    whole = {found.casefold() for found in _FILE.findall(text)} <= {name.casefold()}
    for line in lines:
        named = {found.casefold() for found in _FILE.findall(line)}
        digests = _HASH.findall(line)
        if len(digests) == 1 and (named == {name.casefold()} or (not named and whole)):
            return str(digests[0]).replace(" ", "").lower()
    return None
