"""Our reading and writing of OpenTimestamps files against the reference implementation's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp
from ots_files import DIGEST, HOSTILE, files, leaf, their_file

from btc_assets.ledger.publishing import opentimestamps as ours


def they_read(proof: bytes) -> Timestamp:
    return DetachedTimestampFile.deserialize(BytesDeserializationContext(proof)).timestamp


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
