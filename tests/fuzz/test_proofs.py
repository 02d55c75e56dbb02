"""Proofs of time: whatever a calendar, authority, explorer or bundle gives, a value or its own error."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import tracemalloc
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates
from mutation import fuzzed

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing import opentimestamps as ots
from btc_assets.ledger.publishing.authority import verify_token
from btc_assets.ledger.publishing.block_headers import block_time
from btc_assets.ledger.verification import block_proof

DIGEST = bytes.fromhex("aa" * 32)
MESSAGE = b"ab" * 32
ROOTS = Path(__file__).parent / "corpus" / "roots.pem"
SIGNED = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@functools.cache
def roots() -> list[object]:
    return list(load_pem_x509_certificates(ROOTS.read_bytes()))


@fuzzed("ots")
def test_any_bytes_are_a_proof_that_is_written_as_it_was_meant_or_bad(data: bytes) -> None:
    """Both readers; what ours reads it writes again, and reads the same."""
    tracemalloc.start()
    with contextlib.suppress(ots.BadProof):
        paths = ots.decode(data, DIGEST)
        assert ots.decode(ots.encode(paths, DIGEST), DIGEST) == paths
    with contextlib.suppress(ValueError):
        for _, root in block_proof.blocks(data, DIGEST):
            assert 0 < len(root) <= 4096
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 2**20


@fuzzed("tsr")
def test_any_bytes_are_a_time_stamp_of_ours_or_refused(data: bytes) -> None:
    """Nothing but what was signed has a time."""
    with contextlib.suppress(LedgerError):
        at, name = verify_token(data, MESSAGE, roots())  # type: ignore[arg-type]
        assert (at.date(), name) == (SIGNED.date(), "Stamps of Test")


@fuzzed("header")
def test_no_bytes_are_a_block_that_nobody_mined(data: bytes) -> None:
    """A header would have to cost 2**76 hashes."""
    with contextlib.suppress(LedgerError):
        block_time(data, data[36:68])
        raise AssertionError("a block for nothing")
    with contextlib.suppress(ValueError, LookupError):
        block_proof.block_time(data, 0, data[36:68])
        raise AssertionError("a block for nothing")
