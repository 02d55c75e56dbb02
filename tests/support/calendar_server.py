"""OpenTimestamps calendars on loopback, made with the reference implementation, and a chain of fake blocks.

They behave as the real ones do: a hash that is posted gets a promise, and later the way to a block. They can
be slow, lie, or be stopped. The blocks cost two hashes each, so tests lower what a block must have cost.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Iterator

from loopback import Handler, Server
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp, cat_sha256d, make_merkle_tree

EASY = 0x207FFFFF
"""The difficulty of a test network: every second hash will do."""


def serialized(stamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    stamp.serialize(context)
    return bytes(context.getbytes())


def mined(root: bytes, at: dt.datetime, bits: int = EASY) -> bytes:
    """A header with ``root`` whose hash lies below its (easy) target."""
    size, mantissa = bits >> 24, bits & 0xFFFFFF
    start = (4).to_bytes(4, "little") + b"\x11" * 32 + root + int(at.timestamp()).to_bytes(4, "little")
    for nonce in range(2**32):
        header = start + bits.to_bytes(4, "little") + nonce.to_bytes(4, "little")
        found = int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little")
        if found <= mantissa << 8 * (size - 3):
            return header
    raise AssertionError("no nonce will do")


class Calendar:
    """One calendar: ``address``, what it was sent (``digests``), and what it does about it."""

    def __init__(self) -> None:
        self.digests: list[bytes] = []
        self.asked = 0
        self.delay = 0.0
        self.status = 200
        self.promised_at = ""
        self.garbage: bytes | None = None
        self.before_answer: Callable[[str], None] = lambda path: None
        self.blocks: dict[int, bytes] = {}
        self._waiting: list[Timestamp] = []
        self._done: dict[bytes, Timestamp] = {}
        self._server = Server(self._handler()).start()
        self.address, self.stop = self._server.url, self._server.stop

    def mine(self, height: int, at: dt.datetime) -> bytes:
        """Put everything that waits into a block; returns its header."""
        tip = make_merkle_tree(list(self._waiting)) if len(self._waiting) > 1 else self._waiting[0]
        transaction = tip.ops.add(OpPrepend(b"\x01\x00tx")).ops.add(OpAppend(b"lock")).ops.add(OpSHA256())
        root = cat_sha256d(transaction.ops.add(OpSHA256()), hashlib.sha256(b"coinbase").digest())
        root.attestations.add(BitcoinBlockHeaderAttestation(height))
        self._done |= {stamp.msg: stamp for stamp in self._waiting}
        self._waiting = []
        self.blocks[height] = mined(root.msg, at)
        return self.blocks[height]

    def lie(self, height: int) -> None:
        """Claim of everything that waits that a block has it which does not."""
        for stamp in self._waiting:
            false = stamp.ops.add(OpSHA256())
            false.attestations.add(BitcoinBlockHeaderAttestation(height))
            self._done[stamp.msg] = stamp

    def submit(self, digest: bytes) -> bytes:
        self.digests.append(digest)
        stamp = Timestamp(digest)
        salted = stamp.ops.add(OpAppend(os.urandom(16))).ops.add(OpSHA256())
        commitment = salted.ops.add(OpPrepend(os.urandom(4))).ops.add(OpAppend(os.urandom(8)))
        self._waiting.append(Timestamp(commitment.msg))
        commitment.attestations.add(PendingAttestation(self.promised_at or self.address))
        return serialized(stamp)

    def look_up(self, commitment: bytes) -> bytes | None:
        stamp = self._done.get(commitment)
        return None if stamp is None else serialized(stamp)

    def _handler(self) -> type[Handler]:
        calendar = self

        class Connection(Handler):
            def do_POST(self) -> None:
                self.respond(calendar.submit(self.body()) if self.path == "/digest" else None)

            def do_GET(self) -> None:
                calendar.asked += 1
                kind, _, name = self.path.lstrip("/").partition("/")
                if kind == "timestamp":
                    self.respond(calendar.look_up(bytes.fromhex(name)))
                elif kind == "block-height" and int(name) in calendar.blocks:
                    self.respond(f"{int(name):064x}".encode())
                elif kind == "block" and int(name[:64], 16) in calendar.blocks:
                    self.respond(calendar.blocks[int(name[:64], 16)].hex().encode())
                else:
                    self.respond(None)

            def respond(self, body: bytes | None) -> None:
                calendar.before_answer(self.path)
                time.sleep(calendar.delay)
                status = 404 if body is None else calendar.status
                body = body or b"Pending confirmation in Bitcoin blockchain"
                body = body if calendar.garbage is None else calendar.garbage
                with contextlib.suppress(OSError):
                    self.reply(status, body)

        return Connection


@contextlib.contextmanager
def calendars(count: int = 2) -> Iterator[list[Calendar]]:
    """``count`` calendars, stopped at the end."""
    found = [Calendar() for _ in range(count)]
    try:
        yield found
    finally:
        for calendar in found:
            with contextlib.suppress(OSError):
                calendar.stop()
