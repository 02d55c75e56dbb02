"""OpenTimestamps files that the reference implementation wrote, and hostile ones."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st
from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    LitecoinBlockHeaderAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from opentimestamps.core.op import OpAppend, OpHexlify, OpPrepend, OpSHA1, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from btc_assets.ledger.publishing.opentimestamps import BITCOIN, MAGIC

DIGEST = hashlib.sha256(b"a record").digest()

operations = st.one_of(
    st.binary(min_size=1, max_size=300).map(OpAppend),
    st.binary(min_size=1, max_size=300).map(OpPrepend),
    st.sampled_from([OpSHA256(), OpSHA256(), OpSHA1(), OpHexlify()]),
)
attestations = st.one_of(
    st.integers(0, 2**32).map(BitcoinBlockHeaderAttestation),
    st.integers(0, 2**32).map(LitecoinBlockHeaderAttestation),
    st.text("abc./:-_019", max_size=150).map(PendingAttestation),
    st.builds(
        UnknownAttestation, st.binary(min_size=8, max_size=8).map(lambda b: b"\x01" + b[1:]), st.binary()
    ),
)


def their_file(timestamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), timestamp).serialize(context)
    return context.getbytes()


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file that the reference implementation wrote: one to six leaves below random operations."""
    root = Timestamp(DIGEST)
    for _ in range(draw(st.integers(1, 6))):
        node = root
        for operation in draw(st.lists(operations, max_size=4)):
            node = node.ops.add(operation)
        node.attestations.add(draw(attestations))
    return their_file(root)


def leaf(height: int) -> bytes:
    return b"\x00" + BITCOIN + b"\x01" + bytes([height])


HOSTILE = {
    "cut short": MAGIC + DIGEST + leaf(7)[:-1],
    "bytes after its end": MAGIC + DIGEST + leaf(7) + b"\x00",
    "another file's proof": MAGIC + hashlib.sha256(b"another").digest() + leaf(7),
    "ten thousand operations in a row": MAGIC + DIGEST + b"\x08" * 10_000 + leaf(7),
    "forks without end": MAGIC + DIGEST + b"\xff\x08" * 10_000 + leaf(7),
    "thousands of attestations": MAGIC
    + DIGEST
    + b"".join(b"\xff\x00" + n.to_bytes(8) + b"\x00" for n in range(1, 3_000))
    + leaf(7),
    "a message that doubles": MAGIC + DIGEST + b"\xf3" * 40 + leaf(7),
    "an argument of four gigabytes": MAGIC + DIGEST + b"\xf0\xff\xff\xff\xff\x0f" + leaf(7),
    "a number without end": MAGIC + DIGEST + b"\xf0" + b"\x80" * 5_000,
    "an operation that nobody knows": MAGIC + DIGEST + b"\x77" + leaf(7),
    "Ethereum's hash": MAGIC + DIGEST + b"\x67" + leaf(7),
    "an empty argument": MAGIC + DIGEST + b"\xf0\x00" + leaf(7),
    "a height with bytes after it": MAGIC + DIGEST + b"\x00" + BITCOIN + b"\x02\x07\x00",
    "a megabyte": MAGIC + DIGEST + b"\xf0\x01\x01" * 350_000 + leaf(7),
}
