"""OpenTimestamps proofs: how a hash leads to the Merkle root of a Bitcoin block, read and written.

A proof is a tree: operations turn a message into another, and a leaf attests to the message it is reached by.
Here it is kept flat, a path of operations for each leaf. Files are those of the `ots` command, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from btc_assets.errors import LedgerError

MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
"""How the file of a SHA-256 begins: a name, version 1, and the tag of SHA-256."""

BITCOIN = bytes.fromhex("0588960d73d71901")
LITECOIN = bytes.fromhex("06869a0d73d71b45")
PENDING = bytes.fromhex("83dfe30d2ef90c8e")
"""Kinds of attestations that are understood: the Merkle root of a block, and a calendar's promise."""

LARGEST = 64 * 1024
"""Bytes of a proof; real ones have one to four thousand."""

LONGEST_MESSAGE, LONGEST_PAYLOAD, DEEPEST, MOST_LEAVES = 4096, 8192, 256, 100
"""Limits; the first three are those of the reference implementation."""

_ADDRESS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/:"
_APPEND, _PREPEND, _FORK, _LEAF = b"\xf0", b"\xf1", b"\xff", b"\x00"
_UNARY: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x02": lambda message: hashlib.sha1(message, usedforsecurity=False).digest(),
    b"\x03": lambda message: hashlib.new("ripemd160", message).digest(),
    b"\x08": lambda message: hashlib.sha256(message).digest(),
    b"\xf2": lambda message: message[::-1],
    b"\xf3": lambda message: message.hex().encode(),
}


class BadProof(LedgerError):
    """Bytes that are no OpenTimestamps proof, or one with more than is understood."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a leaf says of the message it is reached with: a kind (8 bytes) and its payload."""

    kind: bytes
    payload: bytes

    @property
    def height(self) -> int | None:
        """The Bitcoin block whose Merkle root the message is, if that is what the leaf says."""
        return _number(self.payload) if self.kind == BITCOIN else None

    @property
    def calendar(self) -> str | None:
        """The address of the calendar that promises to attest to the message, None if it holds no such."""
        if self.kind != PENDING:
            return None
        reader = _ProofReader(self.payload)
        address = reader.take(reader.number(1000))
        return address.decode() if reader.done and not address.translate(None, _ADDRESS) else None

    @property
    def order(self) -> tuple[bytes, int, str, bytes]:
        """Where it stands among the leaves of one message."""
        number = _number(self.payload) if self.kind in (BITCOIN, LITECOIN) else 0
        return self.kind, number or 0, self.calendar or "", self.payload


@dataclass(frozen=True, slots=True)
class Path:
    """Operations, each a tag and its argument, and what is attested of the message that they make."""

    operations: tuple[bytes, ...]
    attestation: Attestation

    def leads_on(self, promise: Path) -> bool:
        """Return whether this path begins with all operations of ``promise``."""
        return self.operations[: len(promise.operations)] == promise.operations

    def message(self, digest: bytes) -> bytes:
        """Return what the operations make of ``digest``."""
        for operation in self.operations:
            digest = _apply(operation, digest)
        return digest


Paths = frozenset[Path]


def decode(proof: bytes, digest: bytes) -> Paths:
    """Read a file that must be the proof of ``digest`` (32 bytes).

    Raises:
        BadProof: it is the proof of something else, or none.
    """
    if proof[: len(MAGIC) + 32] != MAGIC + digest:
        raise BadProof(f"this is no OpenTimestamps proof of {digest.hex()}")
    return decode_tree(proof[len(MAGIC) + 32 :], digest)


def encode(paths: Paths, digest: bytes) -> bytes:
    """Encode a proof of ``digest``: one form for equal paths, that of the reference implementation."""
    ordered = sorted(paths, key=lambda p: (p.operations, p.attestation.order))
    return MAGIC + digest + _encode(ordered, 0)


def decode_tree(tree: bytes, message: bytes) -> Paths:
    """Read what a calendar answers: the tree below ``message``, without a file's head.

    Raises:
        BadProof: it is none, or exceeds a limit.
    """
    if len(tree) > LARGEST:
        raise BadProof(f"the proof is longer than {LARGEST >> 10} KiB")
    reader, paths = _ProofReader(tree), set()
    forks: list[tuple[bytes, tuple[bytes, ...]]] = []
    operations: tuple[bytes, ...] = ()
    while True:
        tag = reader.take(1)
        if tag == _FORK:
            forks.append((message, operations))
            tag = reader.take(1)
        if tag == _LEAF:
            paths.add(Path(operations, reader.attestation()))
            if not forks:
                break
            message, operations = forks.pop()
        else:
            operations += (reader.operation(tag),)
            message = _apply(operations[-1], message)
        if len(forks) > MOST_LEAVES or len(paths) > MOST_LEAVES or len(operations) >= DEEPEST:
            raise BadProof(f"the proof has over {MOST_LEAVES} attestations or {DEEPEST} operations in a row")
    if not reader.done:
        raise BadProof("the proof goes on after its end")
    return frozenset(paths)


def merge(*parts: Iterable[Path]) -> Paths:
    """Return all paths of proofs of the same digest."""
    return frozenset(path for part in parts for path in part)


def beyond(promise: Path, tree: Paths) -> Paths:
    """Return the paths of a calendar's later answer, ``tree``, counted from the digest of its ``promise``."""
    return frozenset(Path(promise.operations + new.operations, new.attestation) for new in tree)


def _apply(operation: bytes, message: bytes) -> bytes:
    tag, argument = operation[:1], operation[1:]
    if tag == _APPEND:
        message = message + argument
    elif tag == _PREPEND:
        message = argument + message
    else:
        try:
            message = _UNARY[tag](message)
        except ValueError as error:
            raise BadProof(f"this machine cannot compute the operation 0x{tag.hex()}: {error}") from error
    if len(message) > LONGEST_MESSAGE:
        raise BadProof(f"an operation makes more than {LONGEST_MESSAGE} bytes")
    return message


def _encode(paths: list[Path], depth: int) -> bytes:
    """Return the node that ``paths`` share after ``depth`` operations; all items but the last are marked."""
    leaves = [p.attestation for p in paths if len(p.operations) == depth]
    longer = [p for p in paths if len(p.operations) > depth]
    items = [b"".join((_LEAF, a.kind, _length(len(a.payload)), a.payload)) for a in leaves]
    for operation, below in groupby(longer, key=lambda p: p.operations[depth]):
        argument = operation[1:]
        begin = operation[:1] + (_length(len(argument)) + argument if argument else b"")
        items.append(begin + _encode(list(below), depth + 1))
    return b"".join(_FORK + item for item in items[:-1]) + items[-1]


def _length(number: int) -> bytes:
    """Encode in little-endian base 128, the high bit set on all bytes but the last."""
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def _number(payload: bytes) -> int | None:
    reader = _ProofReader(payload)
    number = reader.number(2**32)
    return number if reader.done else None


class _ProofReader:
    """Reads from the front of bytes, never past their end."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def done(self) -> bool:
        return self._at == len(self._content)

    def take(self, count: int) -> bytes:
        part = self._content[self._at : self._at + count]
        if len(part) < count:
            raise BadProof("the proof breaks off")
        self._at += count
        return part

    def number(self, largest: int) -> int:
        """Return a number in base 128, of five bytes at most."""
        number = 0
        for place in range(5):
            byte = self.take(1)[0]
            number |= (byte & 127) << 7 * place
            if byte < 128:
                break
        else:
            raise BadProof("the proof holds a number without end")
        if number > largest:
            raise BadProof(f"the proof holds {number} where {largest} is the most")
        return number

    def operation(self, tag: bytes) -> bytes:
        if tag in _UNARY:
            return tag
        if tag not in (_APPEND, _PREPEND):
            raise BadProof(f"the proof has an operation 0x{tag.hex()} that is not known here")
        argument = self.take(self.number(LONGEST_MESSAGE))
        if not argument:
            raise BadProof("the proof appends nothing")
        return tag + argument

    def attestation(self) -> Attestation:
        found = Attestation(self.take(8), self.take(self.number(LONGEST_PAYLOAD)))
        wrong = found.kind == PENDING and found.calendar is None
        if wrong or (found.kind in (BITCOIN, LITECOIN) and _number(found.payload) is None):
            raise BadProof("an attestation in the proof has another form than its kind")
        return found
