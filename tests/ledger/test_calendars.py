"""Heads in OpenTimestamps calendars: HTTP servers on loopback that are slow, lie, fail, and find blocks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from calendar_server import Calendar, calendars
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing import block_headers, timestamps
from btc_assets.ledger.publishing import calendars as sinks
from btc_assets.ledger.publishing.block_headers import BlockHeaders
from btc_assets.ledger.publishing.calendars import CalendarSink
from btc_assets.ledger.publishing.timestamps import HEAD_TIMESTAMPS, Stamps, encoded
from btc_assets.ledger.records import Head
from btc_assets.storage.delta.store import DeltaTables

AT = dt.datetime(2026, 11, 25, 0, 6, tzinfo=dt.UTC)
HEIGHT = 912_345


def head(seq: int, sha: str = "a") -> Head:
    return Head("BTCUSDT", seq, sha * 64, AT)


@pytest.fixture(autouse=True)
def easy_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_headers, "LEAST_WORK", 1)


@pytest.fixture
def two() -> Iterator[list[Calendar]]:
    with calendars(2) as found:
        yield found


class Setup:
    """A sink with a faked clock, and a file that block headers are written to."""

    def __init__(self, root: Path, servers: list[Calendar], monkeypatch: pytest.MonkeyPatch) -> None:
        self.tables = DeltaTables(str(root / "store"))
        self.now = AT
        monkeypatch.setattr(timestamps, "utc_now", lambda: self.now)
        self.addresses = [server.address for server in servers]
        self.headers = root / "headers.txt"
        self.headers.write_text("")

    @property
    def sink(self) -> CalendarSink:
        return CalendarSink(self.tables, self.addresses, BlockHeaders(str(self.headers)))

    def know(self, height: int, header: bytes) -> None:
        with self.headers.open("a") as file:
            file.write(f"{height} {header.hex()}\n")

    def proof(self, seq: int) -> bytes:
        return next(s.file for s in Stamps(self.tables, "ots").read("BTCUSDT") if s.seq == seq)


@pytest.fixture
def setup(tmp_path: Path, two: list[Calendar], monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(tmp_path, two, monkeypatch)


def test_a_head_goes_to_every_calendar_and_counts_as_the_operators_word_until_a_block_has_it(
    setup: Setup, two: list[Calendar]
) -> None:
    setup.sink.publish(head(1))
    assert [c.digests for c in two] == [[b"\xaa" * 32]] * 2
    (found,) = setup.sink.published("BTCUSDT")
    assert (found.seq, found.at, found.dated_by) == (1, AT, "")
    assert found.in_words() == "by the operator's own word (no block has it yet)"


def test_days_later_a_run_finds_the_block_and_its_time(setup: Setup, two: list[Calendar]) -> None:
    setup.sink.publish(head(1))
    setup.know(HEIGHT, two[0].mine(HEIGHT, AT + dt.timedelta(hours=5)))
    setup.now += dt.timedelta(days=3)
    setup.sink.publish(head(2, "b"))
    first, second = setup.sink.published("BTCUSDT")
    assert first.in_words() == "block 912,345, 25 Nov 2026"
    assert first.at == AT + dt.timedelta(hours=5)
    assert second.dated_by == ""


def test_the_file_is_one_that_the_reference_implementation_verifies(
    setup: Setup, two: list[Calendar]
) -> None:
    setup.sink.publish(head(1))
    headers = [c.mine(HEIGHT + n, AT) for n, c in enumerate(two)]
    for n, header in enumerate(headers):
        setup.know(HEIGHT + n, header)
    setup.sink.publish(head(1))
    read = DetachedTimestampFile.deserialize(BytesDeserializationContext(setup.proof(1)))
    assert read.file_digest == b"\xaa" * 32
    found = {
        a.height: message
        for message, a in read.timestamp.all_attestations()
        if isinstance(a, BitcoinBlockHeaderAttestation)
    }
    assert found == {HEIGHT + n: header[36:68] for n, header in enumerate(headers)}


def test_of_two_blocks_the_earlier_counts(setup: Setup, two: list[Calendar]) -> None:
    setup.sink.publish(head(1))
    setup.know(HEIGHT + 4, two[0].mine(HEIGHT + 4, AT + dt.timedelta(hours=9)))
    setup.know(HEIGHT, two[1].mine(HEIGHT, AT + dt.timedelta(hours=2)))
    setup.sink.publish(head(1))
    assert setup.sink.published("BTCUSDT")[0].dated_by == "block 912,345"


def test_one_calendar_that_is_down_costs_no_head_and_gets_it_from_a_later_run(
    setup: Setup, two: list[Calendar]
) -> None:
    down, up = setup.addresses[0], two[1]
    two[0].stop()
    setup.sink.publish(head(1))
    assert len(up.digests) == 1
    with calendars(1) as (again,):
        setup.addresses[0] = again.address
        setup.sink.publish(head(2, "b"))
        assert sorted(again.digests) == [b"\xaa" * 32, b"\xbb" * 32]
    assert len(up.digests) == 2, "who has a head is not sent it again"
    assert down not in setup.addresses


def test_a_head_that_no_calendar_took_is_queued_and_sent_by_the_next_run(
    setup: Setup, two: list[Calendar]
) -> None:
    for calendar in two:
        calendar.status = 503
    with pytest.raises(
        LedgerError, match=r"no calendar has taken record 1 yet .*503.*the next run tries again"
    ):
        setup.sink.publish(head(1))
    assert setup.sink.published("BTCUSDT") == []
    for calendar in two:
        calendar.status, calendar.digests = 200, []
    setup.sink.publish(head(2, "b"))
    assert [p.seq for p in setup.sink.published("BTCUSDT")] == [1, 2]
    assert sorted(two[0].digests) == [b"\xaa" * 32, b"\xbb" * 32]


def test_a_slow_calendar_holds_a_run_up_for_a_fixed_time_only(
    setup: Setup, two: list[Calendar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "ANSWER_TIMEOUT", 0.3)
    two[0].delay = 5.0
    begun = time.monotonic()
    for seq in range(3):
        setup.sink.publish(head(seq, "abc"[seq]))
    assert time.monotonic() - begun < 3 * (2 * 0.3 + 0.5)
    assert [p.seq for p in setup.sink.published("BTCUSDT")] == [0, 1, 2]


def test_a_calendar_that_lies_about_a_block_is_not_believed_and_the_other_is(
    setup: Setup, two: list[Calendar]
) -> None:
    setup.sink.publish(head(1))
    two[0].lie(HEIGHT - 1_000)
    setup.know(HEIGHT - 1_000, two[1].mine(HEIGHT - 1_000, AT - dt.timedelta(days=7)))
    setup.sink.publish(head(1))
    (found,) = setup.sink.published("BTCUSDT")
    assert found.dated_by == "block 911,345", "the honest calendar's block"
    assert {p.attestation.height for p in sinks.ots.decode(found.proof, b"\xaa" * 32)} == {
        None,
        HEIGHT - 1_000,
    }


def test_a_lie_alone_dates_nothing_and_the_calendar_is_asked_again(setup: Setup, two: list[Calendar]) -> None:
    setup.addresses = [two[0].address]
    setup.sink.publish(head(1))
    two[0].lie(HEIGHT)
    two[1].submit(b"\xcc" * 32)
    setup.know(HEIGHT, two[1].mine(HEIGHT, AT))
    setup.sink.publish(head(1))
    assert setup.sink.published("BTCUSDT")[0].dated_by == ""
    setup.know(HEIGHT + 1, two[0].mine(HEIGHT + 1, AT))
    setup.sink.publish(head(1))
    assert setup.sink.published("BTCUSDT")[0].dated_by == "block 912,346"


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00" * 50, b"<html>", b"\xff\x08" * 40_000, b"\xf0" + b"\x80" * 90]
)
def test_an_answer_that_is_no_proof_counts_as_none(setup: Setup, two: list[Calendar], garbage: bytes) -> None:
    two[0].garbage = garbage
    setup.sink.publish(head(1))
    assert Stamps(setup.tables, "ots").read("BTCUSDT")[0].sent_to == two[1].address


def test_a_promise_of_a_calendar_elsewhere_sends_nobody_there(setup: Setup, two: list[Calendar]) -> None:
    with calendars(1) as (elsewhere,):
        two[0].promised_at = elsewhere.address.replace("127.0.0.1", "localhost")
        setup.sink.publish(head(1))
        setup.sink.publish(head(1))
        assert elsewhere.asked == 0
        assert two[1].asked == 1


def test_without_a_header_a_block_is_named_but_dates_nothing(setup: Setup, two: list[Calendar]) -> None:
    setup.sink.publish(head(1))
    header = two[0].mine(HEIGHT, AT)
    setup.sink.publish(head(1))
    words = "by the operator's own word (block 912,345 is not checked: no header of it is known)"
    assert setup.sink.published("BTCUSDT")[0].in_words() == words
    setup.know(HEIGHT, header)
    assert setup.sink.published("BTCUSDT")[0].in_words() == "block 912,345, 25 Nov 2026"


def test_headers_from_an_explorer_are_kept_with_the_proof(setup: Setup, two: list[Calendar]) -> None:
    sink = CalendarSink(setup.tables, setup.addresses, BlockHeaders(two[0].address))
    sink.publish(head(1))
    two[0].mine(HEIGHT, AT)
    sink.publish(head(1))
    for server in two:
        server.stop()
    offline = CalendarSink(setup.tables, setup.addresses, BlockHeaders(two[0].address))
    assert offline.published("BTCUSDT")[0].in_words() == "block 912,345, 25 Nov 2026"


def test_a_run_with_everything_dated_asks_nobody(setup: Setup, two: list[Calendar]) -> None:
    setup.sink.publish(head(1))
    setup.know(HEIGHT, two[0].mine(HEIGHT, AT))
    setup.sink.publish(head(1))
    before, version = [c.asked for c in two], setup.tables.version(HEAD_TIMESTAMPS)
    setup.sink.publish(head(1))
    assert [c.asked for c in two] == before
    assert setup.tables.version(HEAD_TIMESTAMPS) == version


def test_a_head_that_nobody_dated_in_two_months_is_given_up(setup: Setup, two: list[Calendar]) -> None:
    setup.sink.publish(head(1))
    setup.now += dt.timedelta(days=61)
    setup.sink.publish(head(2, "b"))
    setup.sink.publish(head(2, "b"))
    assert [c.asked for c in two] == [1, 1], "only what is new"


def test_the_newest_head_is_sent_however_old_it_is_and_never_called_published_without_a_calendar(
    setup: Setup, two: list[Calendar]
) -> None:
    for calendar in two:
        calendar.status = 503
    for _ in range(2):
        with pytest.raises(LedgerError, match="no calendar has taken record 1 yet"):
            setup.sink.publish(head(1))
        setup.now += dt.timedelta(days=61)
    two[0].status = 200
    setup.sink.publish(head(1))
    assert len(setup.sink.published("BTCUSDT")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"dated_at": AT - dt.timedelta(days=30)},
        {"dated_by": "block 912,344"},
        {"header": "00" * 80},
        {"proof": "no base64"},
        {"proof": encoded(b"\x00OpenTimestamps")},
        {"record_sha256": "b" * 64},
        {"record_sha256": "x"},
    ],
)
def test_a_stored_date_that_its_proof_does_not_show_is_an_error(
    setup: Setup, two: list[Calendar], change: dict[str, object]
) -> None:
    setup.sink.publish(head(1))
    header = two[0].mine(HEIGHT, AT)
    setup.know(HEIGHT, header)
    setup.sink.publish(head(1))
    (stamp,) = Stamps(setup.tables, "ots").read("BTCUSDT")
    if "record_sha256" in change:
        setup.tables.delete_keys(
            HEAD_TIMESTAMPS, setup.tables.read(HEAD_TIMESTAMPS).select(HEAD_TIMESTAMPS.key)
        )
    Stamps(setup.tables, "ots").save([dataclasses.replace(stamp, **change)])
    setup.headers.write_text("")
    with pytest.raises(LedgerError, match=r"head_timestamps|proof|Merkle"):
        setup.sink.published("BTCUSDT")
