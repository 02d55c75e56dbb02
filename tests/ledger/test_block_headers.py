"""Block headers: the first block that there ever was, and what is none."""

from __future__ import annotations

import datetime as dt
import struct

import pytest
from calendar_server import mined

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing import block_headers
from btc_assets.ledger.publishing.block_headers import block_time
from btc_assets.ledger.verification import block_proof

HEX = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"  # pragma: allowlist secret
ROOT = bytes.fromhex(HEX)
FIRST = struct.pack("<I32s32sIII", 1, b"", ROOT, 1_231_006_505, 0x1D00FFFF, 2_083_236_893)
"""The header of Bitcoin's block 0, as every node has it."""


def test_the_first_block_is_of_3_january_2009(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 2**32)
    monkeypatch.setattr(block_proof, "LEAST_WORK", 2**32)
    at = dt.datetime(2009, 1, 3, 18, 15, 5, tzinfo=dt.UTC)
    assert block_time(FIRST, ROOT) == at
    shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"  # pragma: allowlist secret
    assert block_proof.block_time(FIRST, 0, ROOT) == (at.replace(tzinfo=None), shown)


def test_a_block_that_cost_too_little_dates_nothing() -> None:
    for header in (FIRST, mined(ROOT, dt.datetime(2026, 11, 25, tzinfo=dt.UTC))):
        with pytest.raises(LedgerError, match="it is not Bitcoin's"):
            block_time(header, ROOT)
        with pytest.raises(ValueError, match="nobody mined it"):
            block_proof.block_time(header, 0, ROOT)


@pytest.mark.parametrize("place", range(80))
def test_a_header_with_one_byte_changed_is_nobodys(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 2**32)
    monkeypatch.setattr(block_proof, "LEAST_WORK", 2**32)
    header = bytearray(FIRST)
    header[place] ^= 1
    with pytest.raises(LedgerError):
        block_time(bytes(header), ROOT)
    with pytest.raises(ValueError, match="block 0"):
        block_proof.block_time(bytes(header), 0, ROOT)
