"""Check the chain of records: order, hashes, links, times and kinds, each record against those before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.records import NOTHING, IssueRecord
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import closes_at
from btc_assets.market.issuance import deadline, is_live

Stored = Sequence[tuple[IssueRecord, str]]


def check_chain(stored: Stored, *, whole: bool = True) -> Iterator[Fault]:
    """Find the faults of the chain itself.

    Args:
        stored: records by seq, each with the hash stored beside it; all of them, or the newest.
        whole: whether they should be all; if not, what came before the first is believed.
    """
    newest: dict[dt.date, IssueRecord] = {}
    before: IssueRecord | None = None
    first = stored[0][0].seq if stored and not whole else 0
    previous_sha = stored[0][0].previous_sha256 if first else NOTHING
    expected = first
    for record, said in stored:
        yield from _place(record, before, expected)
        sha = record.sha256()
        if sha != said:
            yield _fault(record, "record", f"its content hashes to {sha}, not to the {said} stored beside it")
        if record.previous_sha256 != previous_sha:
            yield _fault(
                record,
                "chain",
                f"it names {record.previous_sha256} as the record before it, which hashes to {previous_sha}: "
                "that one was altered, or records were removed, inserted or put in another order",
            )
        yield from _times(record, before)
        if not first or record.supersedes >= first or record.origin_date in newest:
            yield from _succession(record, newest)
        if record.kind != "genesis":
            newest[record.origin_date] = record
        before, previous_sha, expected = record, sha, record.seq + 1


def current(stored: Stored) -> dict[dt.date, IssueRecord]:
    """Choose the newest record of each origin."""
    return {record.origin_date: record for record, _ in stored if record.kind != "genesis"}


def _place(record: IssueRecord, before: IssueRecord | None, expected: int) -> Iterator[Fault]:
    """Check that records follow each other without a gap, and the first is a genesis record."""
    if record.seq != expected:
        missing = (
            f"record {expected} is missing"
            if record.seq > expected
            else f"record {record.seq} is there twice"
        )
        yield _fault(record, "chain", f"{missing}: records were removed or inserted")
    if before is None:
        if record.kind != "genesis" and expected == 0:
            yield _fault(record, "chain", "the first record is no genesis record: the beginning was removed")
    elif record.began != before.began:
        yield _fault(record, "chain", f"it says that the chain began {record.began}, not {before.began}")


def _times(record: IssueRecord, before: IssueRecord | None) -> Iterator[Fault]:
    """Time never goes back, origins precede issue, kinds follow from the clocks, cutoffs precede origins."""
    at, origin = record.issued_at, record.origin_date
    if record.kind == "genesis":
        return
    if record.kind not in ("live", "back-filled"):
        yield _fault(record, "record", f"its kind is {record.kind!r}, which is none")
    if before is not None and at < before.issued_at:
        yield _fault(
            record,
            "clock",
            f"issued at {_shown(at)}, before record {before.seq} ({_shown(before.issued_at)})",
        )
    if at < max(record.local_clock, record.source_clock):
        yield _fault(record, "clock", f"issued at {_shown(at)}, before what its own clocks said")
    if at < closes_at(origin):
        yield _fault(record, "clock", f"issued at {_shown(at)}, before its origin was over")
    if (record.kind == "live") != is_live(origin, at):
        yield _fault(
            record,
            "clock",
            f"it says {record.kind}, but was issued at {_shown(at)}, and its first target closed at "
            f"{_shown(deadline(origin))}",
        )
    if record.kind == "live" and abs(record.local_clock - record.source_clock) > TOLERANCE:
        yield _fault(record, "clock", "it says live, but its two clocks do not agree")
    for model, vintage, _ in record.models():
        if vintage.cutoff > origin:
            message = f"{model} was trained on targets up to {vintage.cutoff}, after the origin"
            yield _fault(record, "model", message)


def _succession(record: IssueRecord, newest: dict[dt.date, IssueRecord]) -> Iterator[Fault]:
    """Check that a record names the one it replaces, and never replaces a live one."""
    before = newest.get(record.origin_date) if record.kind != "genesis" else None
    if record.supersedes != (before.seq if before else -1):
        told = f"record {record.supersedes}" if record.supersedes >= 0 else "none"
        there = f"record {before.seq}" if before else "none"
        yield _fault(record, "chain", f"it says that it replaces {told}, but for its origin there is {there}")
    if before and before.kind == "live":
        yield _fault(record, "chain", f"it replaces record {before.seq}, which is live; live forecasts stay")


def _fault(record: IssueRecord, what: str, message: str) -> Fault:
    origin = None if record.kind == "genesis" else record.origin_date
    return Fault(record.seq, origin, what, message)


def _shown(t: dt.datetime) -> str:
    return f"{t:%Y-%m-%d %H:%M:%S}"
