"""Our reading and writing of OpenTimestamps files against the reference implementation's."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    LitecoinBlockHeaderAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from opentimestamps.core.op import (
    OpAppend,
    OpHexlify,
    OpPrepend,
    OpSHA1,
    OpSHA256,
)
from opentimestamps.core.serialize import (
    BytesDeserializationContext,
    BytesSerializationContext,
    DeserializationError,
)
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from btc_assets.ledger.publishing import opentimestamps as ours

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


def they_read(proof: bytes) -> Timestamp:
    return DetachedTimestampFile.deserialize(BytesDeserializationContext(proof)).timestamp


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


@given(files())
def test_a_file_of_the_reference_is_read_and_written_again_byte_for_byte(proof: bytes) -> None:
    assert ours.encode(ours.decode(proof, DIGEST), DIGEST) == proof


@given(files())
def test_each_block_is_reached_with_the_message_that_the_reference_reaches_it_with(proof: bytes) -> None:
    theirs = {
        (message, attestation.height)
        for message, attestation in they_read(proof).all_attestations()
        if isinstance(attestation, BitcoinBlockHeaderAttestation)
    }
    paths = ours.decode(proof, DIGEST)
    found = {(p.message(DIGEST), p.attestation.height) for p in paths if p.attestation.height is not None}
    assert found == theirs


@given(files(), files())
def test_a_merged_proof_is_the_one_that_the_reference_merges(left: bytes, right: bytes) -> None:
    theirs = they_read(left)
    theirs.merge(they_read(right))
    merged = ours.merge(ours.decode(left, DIGEST), ours.decode(right, DIGEST))
    assert ours.encode(merged, DIGEST) == their_file(theirs)


@given(files(), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read_as_the_reference_reads_it(
    proof: bytes, place: int, value: int
) -> None:
    changed = bytearray(proof)
    changed[place % len(proof)] = value
    try:
        paths = ours.decode(bytes(changed), DIGEST)
    except ours.BadProof:
        return
    assert ours.encode(paths, DIGEST) == their_file(they_read(bytes(changed)))


@given(st.binary(max_size=400) | st.binary(max_size=100).map(lambda tail: ours.MAGIC + DIGEST + tail))
def test_what_the_reference_refuses_is_refused(content: bytes) -> None:
    try:
        they_read(content)
    except (DeserializationError, ValueError, TypeError):
        with pytest.raises(ours.BadProof):
            ours.decode(content, DIGEST)


def leaf(height: int) -> bytes:
    return b"\x00" + ours.BITCOIN + b"\x01" + bytes([height])


HOSTILE = {
    "cut short": ours.MAGIC + DIGEST + leaf(7)[:-1],
    "bytes after its end": ours.MAGIC + DIGEST + leaf(7) + b"\x00",
    "another file's proof": ours.MAGIC + hashlib.sha256(b"another").digest() + leaf(7),
    "ten thousand operations in a row": ours.MAGIC + DIGEST + b"\x08" * 10_000 + leaf(7),
    "forks without end": ours.MAGIC + DIGEST + b"\xff\x08" * 10_000 + leaf(7),
    "thousands of attestations": ours.MAGIC
    + DIGEST
    + b"".join(b"\xff\x00" + n.to_bytes(8) + b"\x00" for n in range(1, 3_000))
    + leaf(7),
    "a message that doubles": ours.MAGIC + DIGEST + b"\xf3" * 40 + leaf(7),
    "an argument of four gigabytes": ours.MAGIC + DIGEST + b"\xf0\xff\xff\xff\xff\x0f" + leaf(7),
    "a number without end": ours.MAGIC + DIGEST + b"\xf0" + b"\x80" * 5_000,
    "an operation that nobody knows": ours.MAGIC + DIGEST + b"\x77" + leaf(7),
    "Ethereum's hash": ours.MAGIC + DIGEST + b"\x67" + leaf(7),
    "an empty argument": ours.MAGIC + DIGEST + b"\xf0\x00" + leaf(7),
    "a height with bytes after it": ours.MAGIC + DIGEST + b"\x00" + ours.BITCOIN + b"\x02\x07\x00",
    "a megabyte": ours.MAGIC + DIGEST + b"\xf0\x01\x01" * 350_000 + leaf(7),
}


@pytest.mark.parametrize("proof", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_proof_is_refused(proof: bytes) -> None:
    with pytest.raises(ours.BadProof):
        ours.decode(proof, DIGEST)


def test_the_largest_proof_there_can_be_costs_few_megabytes() -> None:
    import tracemalloc

    leaves = ours.MOST_LEAVES - 2
    deep = b"\x08" * (ours.DEEPEST - 2)
    tree = b"".join(b"\xff\xf0\x01" + bytes([n]) + deep + leaf(n) for n in range(leaves)) + leaf(1)
    tracemalloc.start()
    try:
        paths = ours.decode_tree(tree, DIGEST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(paths) == leaves + 1
    assert peak < 8 * 2**20
