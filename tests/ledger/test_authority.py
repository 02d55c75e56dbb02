"""Heads signed by a time-stamping authority: openssl behind a real HTTP server, honest and not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from time_stamping_authority import Authority, authority

from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.ledger.proof import export_proof
from btc_assets.ledger.publishing import authority as sinks
from btc_assets.ledger.publishing.authority import AuthoritySink, verify_token
from btc_assets.ledger.publishing.timestamps import Stamps, encoded
from btc_assets.ledger.records import Head
from btc_assets.storage.delta.store import DeltaTables

SHA = "ab" * 32


def head(seq: int, sha: str = SHA) -> Head:
    return Head("BTCUSDT", seq, sha, dt.datetime(2026, 11, 25, 0, 6, tzinfo=dt.UTC))


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Authority]:
    with authority(tmp_path / "tsa") as found:
        yield found


@pytest.fixture
def tables(tmp_path: Path) -> DeltaTables:
    return DeltaTables(str(tmp_path / "store"))


@pytest.fixture
def sink(tsa: Authority, tables: DeltaTables) -> AuthoritySink:
    return AuthoritySink(tables, tsa.address, tsa.roots)


def test_a_head_is_signed_within_seconds_and_dated_by_the_authority(sink: AuthoritySink) -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    sink.publish(head(1))
    (found,) = sink.published("BTCUSDT")
    assert before <= found.at <= dt.datetime.now(dt.UTC)
    assert found.dated_by == "time stamp of Stamps of Test"
    assert found.in_words() == f"time stamp of Stamps of Test, {found.at.day} {found.at:%b %Y}"


def test_openssl_checks_the_token_of_a_bundle(store, tsa: Authority, tmp_path: Path) -> None:
    sink = AuthoritySink(store.tables, tsa.address, tsa.roots)
    newest = store.issue([dt.date(2024, 1, 12)]).head
    sink.publish(newest)
    proof = export_proof(store.tables, store.registry, "BTCUSDT", tmp_path / "proof", sink=sink)
    (tmp_path / "hash").write_text(newest.record_sha256)
    token = proof / "heads" / f"{newest.seq:09d}-{newest.record_sha256}.tsr"
    command = ["openssl", "ts", "-verify", "-in", str(token), "-data", "hash", "-CAfile", str(tsa.roots)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_head_that_was_signed_is_not_signed_again(sink: AuthoritySink, tsa: Authority) -> None:
    sink.publish(head(1))
    sink.publish(head(1))
    assert tsa.asked == 1


def test_a_head_that_could_not_be_signed_is_signed_by_the_next_run(
    sink: AuthoritySink, tsa: Authority
) -> None:
    tsa.answer = b"out of order"
    with pytest.raises(LedgerError, match=r"record 1 is not time-stamped: .*; the next run tries again"):
        sink.publish(head(1))
    assert sink.published("BTCUSDT") == []
    tsa.answer = None
    sink.publish(head(2, "cd" * 32))
    assert [p.seq for p in sink.published("BTCUSDT")] == [1, 2]


def test_a_slow_authority_holds_a_run_up_for_a_fixed_time_only(
    sink: AuthoritySink, tsa: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "ANSWER_TIMEOUT", 0.2)
    tsa.delay = 5.0
    begun = time.monotonic()
    with pytest.raises(LedgerError, match=r"no answer within 0\.2 s"):
        sink.publish(head(1))
    assert time.monotonic() - begun < 2


def nonce_of(request: bytes) -> bytes:
    from rfc3161_client import _rust

    nonce = _rust.parse_timestamp_request(request).nonce
    assert nonce is not None
    return nonce.to_bytes((nonce.bit_length() + 7) // 8)


def other_nonce(request: bytes) -> bytes:
    nonce = nonce_of(request)
    return request.replace(nonce, nonce[:-1] + bytes([nonce[-1] ^ 1]))


def other_hash(request: bytes) -> bytes:
    import hashlib

    digest = hashlib.sha256(SHA.encode()).digest()
    assert digest in request
    return request.replace(digest, hashlib.sha256(b"another head").digest())


@pytest.mark.parametrize(("spoil", "told"), [(other_nonce, "Nonce"), (other_hash, "messages")])
def test_a_signature_of_something_else_is_refused(
    sink: AuthoritySink, tsa: Authority, spoil, told: str
) -> None:
    tsa.spoil = spoil
    with pytest.raises(LedgerError, match=f"the authority's answer does not hold: .*{told}"):
        sink.publish(head(1))
    assert sink.published("BTCUSDT") == []


def test_an_old_answer_played_again_is_refused(sink: AuthoritySink, tsa: Authority) -> None:
    kept: list[bytes] = []
    tsa.spoil = lambda request: kept.append(request) or request  # type: ignore[func-returns-value]
    sink.publish(head(1))
    tsa.answer = tsa.sign(kept[0])
    other = AuthoritySink(DeltaTables(str(tsa.folder / "other")), tsa.address, tsa.roots)
    with pytest.raises(LedgerError, match="Nonce"):
        other.publish(head(1))


def test_an_authority_below_another_root_is_refused(
    tsa: Authority, tables: DeltaTables, tmp_path: Path
) -> None:
    with authority(tmp_path / "other", "Somebody else") as other:
        sink = AuthoritySink(tables, other.address, tsa.roots)
        with pytest.raises(LedgerError, match="does not hold"):
            sink.publish(head(1))


def test_an_expired_certificate_is_refused(tables: DeltaTables, tmp_path: Path) -> None:
    with authority(tmp_path / "old", days=5) as old, pytest.raises(LedgerError, match="does not hold"):
        AuthoritySink(tables, old.address, old.roots).publish(head(1))


def test_a_refusal_is_told_with_its_reason(sink: AuthoritySink, tsa: Authority) -> None:
    tsa.accept("sha512")
    with pytest.raises(LedgerError, match=r"the authority refused: .*algorithm"):
        sink.publish(head(1))


@pytest.mark.parametrize(
    "change",
    [
        {"dated_at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)},
        {"proof": encoded(b"0\x03\x02\x01\x00")},
        {"proof": "?"},
        {"seq": 5, "record_sha256": "cd" * 32},
    ],
)
def test_a_stored_time_that_its_token_does_not_show_is_an_error(
    sink: AuthoritySink, tables: DeltaTables, change: dict[str, object]
) -> None:
    sink.publish(head(1))
    (stamp,) = Stamps(tables, "tsa").read("BTCUSDT")
    Stamps(tables, "tsa").save([dataclasses.replace(stamp, **change)])
    with pytest.raises(LedgerError, match="head_timestamps: "):
        sink.published("BTCUSDT")


def test_roots_that_are_none_are_named(tables: DeltaTables, tsa: Authority, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"BTC_LEDGER_TSA_ROOTS=.*No such file"):
        AuthoritySink(tables, tsa.address, tmp_path / "missing.pem").publish(head(1))
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        AuthoritySink(tables, tsa.address, tmp_path / "text.pem").publish(head(1))


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, AuthoritySink]]:
    folder = tmp_path_factory.mktemp("token")
    with authority(folder / "tsa") as tsa:
        sink = AuthoritySink(DeltaTables(str(folder / "store")), tsa.address, tsa.roots)
        sink.publish(head(1))
        yield sink.published("BTCUSDT")[0].proof, sink


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_a_token_with_a_changed_byte_is_refused_or_says_the_same(token, place: int, value: int) -> None:
    good, sink = token
    changed = bytearray(good)
    changed[place % len(good)] ^= value
    try:
        found = verify_token(bytes(changed), SHA.encode(), sink.roots)
    except LedgerError:
        return
    assert found == verify_token(good, SHA.encode(), sink.roots)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_token_are_refused(token, content: bytes) -> None:
    with pytest.raises(LedgerError):
        verify_token(content, SHA.encode(), token[1].roots)
