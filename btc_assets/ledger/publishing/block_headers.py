"""Bitcoin block headers: what an OpenTimestamps proof ends at, and whose time it takes.

A header is 80 bytes: version, hash of the block before, Merkle root, time, difficulty, nonce. Nobody can
make one up cheaply: its own hash must lie below what its difficulty says, which takes some 10**23 attempts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from pathlib import Path

from btc_assets.errors import LedgerError

SIZE = 80
LEAST_WORK = 2**76
"""Hashes that a header must have cost on average; blocks since the summer of 2021 cost more than that."""

MARGIN = dt.timedelta(hours=2)
"""How far a block's time can be off: nodes refuse blocks that are further ahead of their clocks."""


def block_time(header: bytes, root: bytes) -> dt.datetime:
    """Return the time (UTC) of the block with ``header``, whose Merkle root must be ``root``.

    Raises:
        LedgerError: it is another block's header, or one that cost too little work to be Bitcoin's.
    """
    if len(header) != SIZE or header[36:68] != root:
        raise LedgerError("the block's Merkle root is not what the proof leads to")
    size, mantissa = header[75], int.from_bytes(header[72:75], "little")
    target = mantissa << 8 * (size - 3) if 3 <= size <= 32 else 0
    if int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little") > target:
        raise LedgerError("the block's hash is above its own target: nobody mined it")
    if target > 2**256 // LEAST_WORK:
        raise LedgerError(f"the block took fewer than {LEAST_WORK:.0e} hashes: it is not Bitcoin's")
    return dt.datetime.fromtimestamp(int.from_bytes(header[68:72], "little"), dt.UTC)


class BlockHeaders:
    """Headers by height, from a file or from an explorer with an Esplora API; of neither where that is empty.

    A file is either all headers one after the other from block 0 on, as Electrum keeps them in
    ``blockchain_headers``, or text: a line for each block that matters, its height and 160 hex digits.

    Args:
        location: path of the file, or https address of the API.
    """

    def __init__(self, location: str = "") -> None:
        self._explorer = location.rstrip("/") if "://" in location else ""
        self._file = Path(location) if location and not self._explorer else None
        self._asked: dict[int, bytes] = {}

    def at_hand(self, height: int) -> bytes | None:
        """Return the header of the block at ``height`` if the file has it; asks nobody.

        Raises:
            LedgerError: the file cannot be read.
        """
        return _from_file(self._file, height) if self._file else self._asked.get(height)

    def find(self, height: int) -> bytes | None:
        """Return the header of the block at ``height`` from the file or the explorer.

        Raises:
            LedgerError: neither can be read, or the explorer's answer is none.
        """
        if self._explorer and height not in self._asked:
            self._asked[height] = _from_explorer(self._explorer, height)
        return self.at_hand(height)


def _from_file(path: Path, height: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            start = file.read(SIZE * 4)
            if re.match(rb"\s*\d+\s+[0-9a-fA-F]{160}\s", start + b"\n"):
                file.seek(0)
                found = re.search(rb"(?m)^\s*%d\s+([0-9a-fA-F]{160})\s*$" % height, file.read())
                return bytes.fromhex(found[1].decode()) if found else None
            file.seek(height * SIZE)
            header = file.read(SIZE)
    except OSError as error:
        raise LedgerError(f"block headers could not be read: {path}: {error.strerror}") from error
    return header if len(header) == SIZE and any(header) else None


def _from_explorer(address: str, height: int) -> bytes:
    from btc_assets.ledger.publishing.web import ask

    block = ask(f"{address}/block-height/{height}", largest=100).decode("ascii", "replace").strip()
    if not re.fullmatch("[0-9a-f]{64}", block):
        raise LedgerError(f"{address} gave no block hash for height {height}")
    text = ask(f"{address}/block/{block}/header", largest=200).decode("ascii", "replace").strip()
    if not re.fullmatch("[0-9a-f]{160}", text):
        raise LedgerError(f"{address} gave no header for block {height}")
    return bytes.fromhex(text)
