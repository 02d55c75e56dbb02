"""Heads in OpenTimestamps calendars: within hours a Bitcoin block commits to them, for everybody to see.

A calendar gathers the hashes of an hour or so, puts the root of their Merkle tree into a transaction, and
keeps the way from each hash to it. Its first answer is a promise; what a block says needs no trust in it.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing import opentimestamps as ots
from btc_assets.ledger.publishing.block_headers import MARGIN, BlockHeaders, block_time
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.publishing.timestamps import Stamp, Stamps, encoded
from btc_assets.ledger.publishing.web import ask, ask_all
from btc_assets.ledger.records import Head
from btc_assets.storage.tables import TableStore

ANSWER_TIMEOUT = 10.0
"""Seconds that sending, and again asking for blocks, may hold up a run; what is late waits for the next."""

_ACCEPT = {"Accept": "application/vnd.opentimestamps.v1"}
_log = logging.getLogger(__name__)


class CalendarSink:
    """Sends each head to every calendar, and lets later runs complete what is waiting for a block.

    Args:
        tables: where proofs are kept (``head_timestamps``).
        calendars: their addresses, two or more: one may be down, or lie.
        headers: where block headers come from; without them no block's time is known.
    """

    def __init__(self, tables: TableStore, calendars: Sequence[str], headers: BlockHeaders) -> None:
        self.location = "ots+" + ",".join(calendars)
        self._stamps, self._calendars, self._headers = Stamps(tables, "ots"), calendars, headers

    def publish(self, head: Head) -> None:
        """Send ``head``, and whatever earlier runs could not; then ask what has got into a block since.

        Raises:
            LedgerError: no calendar has taken ``head``; it is queued, and the next run sends it.
        """
        stamps = [stamp for stamp in self._stamps.queue(head) if not stamp.dated_by]
        sent, failures = self._send(stamps)
        self._complete([after for after, before in zip(sent, stamps, strict=True) if before.proof])
        if any(s.record_sha256 == head.record_sha256 and not s.proof for s in sent):
            raise LedgerError(
                f"no calendar has taken record {head.seq} yet ({'; '.join(failures)}); "
                "the next run tries again"
            )

    def published(self, symbol: str) -> list[Published]:
        """Return every head that a calendar took, dated by its block if that one's header is known."""
        return [published(stamp, self._headers) for stamp in self._stamps.read(symbol) if stamp.proof]

    def _send(self, stamps: Sequence[Stamp]) -> tuple[list[Stamp], list[str]]:
        """Send what a calendar has not got and no block has; returns all, and what went wrong."""
        questions = {
            (stamp, calendar): _submission(calendar, stamp.digest)
            for stamp in stamps
            if not blocks(stamp)
            for calendar in self._calendars
            if calendar not in stamp.sent_to.split()
        }
        answers = ask_all(questions, ANSWER_TIMEOUT)
        failures = [f"{calendar}: {a}" for (_, calendar), a in answers.items() if isinstance(a, LedgerError)]
        for failure in failures:
            _log.warning("a head was not sent: %s", failure)
        after = []
        for stamp in stamps:
            taken = {c: a for (s, c), a in answers.items() if s == stamp and not isinstance(a, LedgerError)}
            sent = replace(stamp, sent_to=" ".join([*stamp.sent_to.split(), *taken]))
            after.append(_with(sent, ots.merge(_paths(stamp), *taken.values())) if taken else stamp)
        self._stamps.save(new for new, old in zip(after, stamps, strict=True) if new != old)
        return after, failures

    def _complete(self, stamps: Sequence[Stamp]) -> None:
        """Ask the calendars for the blocks that commit to what they took, and take the times of those."""
        questions = {
            (stamp, promise): _question(calendar, promise.message(stamp.digest))
            for stamp in stamps
            for promise, calendar in _unkept(_paths(stamp))
            if self._is_related(calendar)
        }
        answers = ask_all(questions, ANSWER_TIMEOUT)
        after = []
        for stamp in stamps:
            paths = _paths(stamp)
            for (asked, promise), tree in answers.items():
                if asked == stamp and not isinstance(tree, LedgerError):
                    found = ots.beyond(promise, tree)
                    paths = ots.merge(paths, (p for p in found if p.attestation.height is not None))
            after.append(_with(stamp, paths) if paths else stamp)
        after = [self._dated(stamp) for stamp in after]
        self._stamps.save(new for new, old in zip(after, stamps, strict=True) if new != old)

    def _dated(self, stamp: Stamp) -> Stamp:
        """Keep the earliest of the blocks of ``stamp``, and none that its proof does not lead to."""
        heights = {height for height, _ in blocks(stamp)}
        asked = ask_all({height: partial(self._headers.find, height) for height in heights}, ANSWER_TIMEOUT)
        found, paths = [], _paths(stamp)
        for path in paths:
            height, header = path.attestation.height, asked.get(path.attestation.height or -1)
            if height is None or not isinstance(header, bytes):
                continue
            try:
                found.append((block_time(header, path.message(stamp.digest)), height, header))
            except LedgerError as error:
                _log.warning("a calendar lied of record %d and block %d: %s", stamp.seq, height, error)
                paths -= {path}
        if paths != _paths(stamp):
            stamp = _with(stamp, paths)
        if not found:
            return stamp
        at, height, header = min(found)
        return replace(stamp, header=header.hex(), dated_at=at, dated_by=f"block {height:,}")

    def _is_related(self, address: str) -> bool:
        """Return whether a promise names one of our calendars, by domain: no answer sends us elsewhere."""
        given = urllib.parse.urlsplit(address)
        return any(
            given.scheme == known.scheme and _domain(given) == _domain(known)
            for known in map(urllib.parse.urlsplit, self._calendars)
        )


def blocks(stamp: Stamp) -> list[tuple[int, bytes]]:
    """Height and Merkle root of every Bitcoin block that the proof of ``stamp`` leads to."""
    found = {(p.attestation.height, p.message(stamp.digest)) for p in _paths(stamp)}
    return sorted((height, root) for height, root in found if height is not None)


def published(stamp: Stamp, headers: BlockHeaders) -> Published:
    """Read ``stamp`` as a published head; its date is proved again, from the proof and the block's header.

    Raises:
        LedgerError: the proof is not one of this head, or the header not that of its block.
    """
    base = Published(
        stamp.symbol, stamp.seq, stamp.record_sha256, stamp.queued_at, kind="ots", proof=stamp.file
    )
    found = []
    for height, root in blocks(stamp):
        stored = bytes.fromhex(stamp.header) if stamp.dated_by == f"block {height:,}" else None
        if header := headers.at_hand(height) or stored:
            found.append((block_time(header, root), height, header))
    if (stamp.dated_at or stamp.dated_by) and stamp.dated_at not in [at for at, _, _ in found]:
        raise LedgerError(
            f"head_timestamps: the proof of record {stamp.seq} does not show {stamp.dated_by} "
            f"of {stamp.dated_at}"
        )
    if not found:
        return replace(base, waiting=_waiting([height for height, _ in blocks(stamp)]))
    at, height, header = min(found)
    return replace(base, at=at, dated_by=f"block {height:,}", header=header, margin=MARGIN)


def _waiting(heights: Sequence[int]) -> str:
    named = ", ".join(f"{height:,}" for height in heights)
    return f"block {named} is not checked: no header of it is known" if named else "no block has it yet"


def _paths(stamp: Stamp) -> ots.Paths:
    return ots.decode(stamp.file, stamp.digest) if stamp.proof else frozenset()


def _with(stamp: Stamp, paths: ots.Paths) -> Stamp:
    return replace(stamp, proof=encoded(ots.encode(paths, stamp.digest)))


def _unkept(paths: ots.Paths) -> Iterator[tuple[ots.Path, str]]:
    """Return the promises beyond which there is no block yet, with the calendar that made them."""
    reached = [p for p in paths if p.attestation.height is not None]
    for promise in paths:
        calendar = promise.attestation.calendar
        if calendar and not any(p.leads_on(promise) for p in reached):
            yield promise, calendar


def _submission(calendar: str, digest: bytes) -> Callable[[], ots.Paths]:
    return lambda: ots.decode_tree(ask(f"{calendar}/digest", digest, _ACCEPT), digest)


def _question(calendar: str, message: bytes) -> Callable[[], ots.Paths]:
    address = f"{calendar.rstrip('/')}/timestamp/{message.hex()}"
    return lambda: ots.decode_tree(ask(address, headers=_ACCEPT), message)


def _domain(address: urllib.parse.SplitResult) -> tuple[str, ...]:
    """Return what one operator's servers share: the last two labels of a name, a whole address of numbers."""
    host = address.hostname or ""
    labels = tuple(host.split("."))
    return (host,) if labels[-1].isdigit() or ":" in host else labels[-2:]
