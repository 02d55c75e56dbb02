"""Check the chain of records: order, hashes, links, times and kinds, each record against those before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from btc_assets.ledger.chain import ADOPTED
from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.records import IN_TIME, NOTHING, ChainRecord, IssueRecord, live_hours_of
from btc_assets.ledger.verification.record_checks import problems
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.issue_timing import deadline, issue_kind
from btc_assets.series import CANDLES

MARGIN = DAY
"""How much later than a restart a head before it may have been published, or dated by a block."""

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
    expected, known, limited = first, {CANDLES.name}, False
    for record, said in stored:
        sha = record.sha256()
        yield from (
            _fault(record, *each) for each in link_problems(record, said, sha, expected, previous_sha)
        )
        yield from _beginning(record, before, expected)
        yield from _times(record, before)
        adoptable = bool(first) or record.issued_at == stored[0][0].issued_at
        others = problems(record, known, limited=limited, may_be_adopted=adoptable)
        yield from (_fault(record, "record", each) for each in (*clock_problem(record), *others))
        if not first or record.supersedes >= first or record.origin_date in newest:
            yield from _succession(record, newest)
        if record.kind != "genesis":
            newest[record.origin_date] = record
            if record.note != ADOPTED:
                known = {name for name, said in record.inputs.items() if said.sha256} | {CANDLES.name}
                limited = limited or "live_hours" in record.settings
        before, previous_sha, expected = record, sha, record.seq + 1


def taken_back(stored: Stored) -> set[int]:
    """List the places of records that a restart took back: they are later than it, a clock was ahead."""
    found: set[int] = set()
    for at, (record, _) in enumerate(stored):
        if record.kind == "genesis":
            found |= {r.seq for r, _ in stored[:at] if r.issued_at > record.issued_at}
    return found


def check_restarts(stored: Stored, published: Iterable[Published]) -> Iterator[Fault]:
    """Find restarts that go back before a head was published, if nothing published then confirms it."""
    heads = list(published)
    for record, _ in stored:
        if record.kind != "genesis":
            continue
        before = [p for p in heads if p.seq < record.seq and p.at - MARGIN > record.issued_at]
        near = [p for p in heads if p.seq >= record.seq and abs(p.at - record.issued_at) < MARGIN]
        if before and (not near or any(p.dated_by for p in before)):
            message = (
                f"it begins the chain anew at {_shown(record.issued_at)}, but record {before[0].seq} before "
                f"it was published at {_shown(before[0].at)}: times after it were set back"
            )
            yield _fault(record, "clock", message)


def current(stored: Stored) -> dict[dt.date, IssueRecord]:
    """Choose the newest record of each origin."""
    return {record.origin_date: record for record, _ in stored if record.kind != "genesis"}


def is_between(origin: dt.date, start: dt.date | None, end: dt.date | None) -> bool:
    """Tell whether ``origin`` lies in [start, end); None: no limit."""
    return (start is None or origin >= start) and (end is None or origin < end)


def link_problems(
    record: ChainRecord, said: str, sha: str, expected: int, previous_sha: str
) -> Iterator[tuple[str, str]]:
    """Say what is wrong with a record's place, hash (``said`` and found) and link, each with a word."""
    if record.seq != expected:
        missing = (
            f"record {expected} is missing"
            if record.seq > expected
            else f"record {record.seq} is there twice"
        )
        yield "chain", f"{missing}: records were removed or inserted"
    if sha != said:
        yield "record", f"its content hashes to {sha}, not to the {said} stored beside it"
    if record.previous_sha256 != previous_sha:
        yield (
            "chain",
            f"it names {record.previous_sha256} as the record before it, which hashes to {previous_sha}: "
            "that one was altered, or records were removed, inserted or put in another order",
        )


def time_problems(record: ChainRecord, before: ChainRecord | None, hours: int) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the time of issue, each with a word: the kind follows from it."""
    at, origin = record.issued_at, record.origin_date
    if before is not None and at < before.issued_at:
        yield "clock", f"issued at {_shown(at)}, before record {before.seq} ({_shown(before.issued_at)})"
    if at < closes_at(origin):
        yield "clock", f"issued at {_shown(at)}, before its origin was over"
    if record.kind != issue_kind(origin, at, hours):
        yield (
            "clock",
            f"it says {record.kind}, but was issued at {_shown(at)}; its origin closed at "
            f"{_shown(closes_at(origin))}, its first target at {_shown(deadline(origin))}; live is within "
            f"{hours} hours",
        )


def clock_problem(record: ChainRecord) -> Iterator[str]:
    """Say that a record was not issued when its own clocks say."""
    latest = max(record.local_clock, record.source_clock)
    if not latest <= record.issued_at <= latest + TOLERANCE:
        yield f"issued at {_shown(record.issued_at)}, before what its own clocks said or long after"


def head_problems(
    published: Iterable[Published], records: Mapping[int, ChainRecord]
) -> Iterator[tuple[int, str, str]]:
    """Say which published heads are not the hashes of ``records``, or older: place, a word, the problem."""
    for head in published:
        record, dated = records.get(head.seq), _shown(head.at)
        sha = record.sha256() if record else "missing"
        if record is None or sha != head.record_sha256:
            message = (
                f"the head published at {dated} is {head.record_sha256}, but that record is {sha}: the chain "
                "was rolled back or written anew"
            )
            yield head.seq, "published", message
        elif head.dated_by and record.issued_at > head.certainly_at + TOLERANCE:
            message = f"it says {_shown(record.issued_at)}, but {head.dated_by} of {dated} holds its hash"
            yield head.seq, "clock", message


def _beginning(record: IssueRecord, before: IssueRecord | None, expected: int) -> Iterator[Fault]:
    """Check that the first record is a genesis record, and that all say when the chain began."""
    if before is None:
        if record.kind != "genesis" and expected == 0:
            yield _fault(record, "chain", "the first record is no genesis record: the beginning was removed")
    elif record.began != before.began:
        yield _fault(record, "chain", f"it says that the chain began {record.began}, not {before.began}")


def _times(record: IssueRecord, before: IssueRecord | None) -> Iterator[Fault]:
    """Time never goes back, origins precede issue, kinds follow from the clocks, cutoffs precede origins."""
    if record.kind == "genesis":
        if before is not None and before.issued_at <= record.issued_at:
            yield _fault(
                record, "chain", "it begins the chain anew, though the record before it is not later"
            )
        return
    if record.kind not in ("live", "late", "back-filled"):
        yield _fault(record, "record", f"its kind is {record.kind!r}, which is none")
    told = time_problems(record, before, live_hours_of(record.settings))
    yield from (_fault(record, *each) for each in told)
    for model, vintage, _ in record.models():
        if vintage.cutoff > record.origin_date:
            message = f"{model} was trained on targets up to {vintage.cutoff}, after the origin"
            yield _fault(record, "model", message)


def _succession(record: IssueRecord, newest: dict[dt.date, IssueRecord]) -> Iterator[Fault]:
    """Check that a record names the one it replaces, and never replaces a live one."""
    before = newest.get(record.origin_date) if record.kind != "genesis" else None
    if record.supersedes != (before.seq if before else -1):
        told = f"record {record.supersedes}" if record.supersedes >= 0 else "none"
        there = f"record {before.seq}" if before else "none"
        yield _fault(record, "chain", f"it says that it replaces {told}, but for its origin there is {there}")
    if before and before.kind in IN_TIME:
        message = f"it replaces record {before.seq}, which is {before.kind}; {before.kind} forecasts stay"
        yield _fault(record, "chain", message)


def _fault(record: IssueRecord, what: str, message: str) -> Fault:
    origin = None if record.kind == "genesis" else record.origin_date
    return Fault(record.seq, origin, what, message)


def _shown(t: dt.datetime) -> str:
    return f"{t:%Y-%m-%d %H:%M:%S}"
