"""A published head: what every sink stores, and how it is written as a line."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from btc_assets.errors import LedgerError
from btc_assets.ledger.records import Head
from btc_assets.storage.registry.manifest import canonical_json


@dataclass(frozen=True, slots=True)
class Published:
    """A head as a sink holds it, and by whose clock it is dated.

    Attributes:
        at: when it was published (UTC): the time of the third party, or else of the operator.
        dated_by: the third party: a Bitcoin block, a time-stamping authority, S3. Empty: nobody but the
            operator says when.
        margin: how far that clock may be off.
        waiting: why there is no third party yet, in words.
        kind: ``ots`` or ``tsa`` if there is a proof.
        proof: the .ots or .tsr file.
        header: the header of the Bitcoin block that dates it.
    """

    symbol: str
    seq: int
    record_sha256: str
    at: dt.datetime
    dated_by: str = ""
    margin: dt.timedelta = dt.timedelta(0)
    waiting: str = ""
    kind: str = ""
    proof: bytes = b""
    header: bytes = b""

    @property
    def certainly_at(self) -> dt.datetime:
        """The time by which it existed for certain, if that clock is as good as it should be."""
        return self.at + self.margin

    def in_words(self) -> str:
        """Say by whose clock it is dated, and when."""
        if not self.dated_by:
            return "by the operator's own word" + (f" ({self.waiting})" if self.waiting else "")
        return f"{self.dated_by}, {self.at.day} {self.at:%b %Y}"


class HeadSink(Protocol):
    """A place outside the store that heads are written to and that remembers them."""

    location: str

    def publish(self, head: Head) -> None:
        """Publish ``head``; publishing the same head again is no error and changes nothing.

        Raises:
            LedgerError: the sink cannot be reached or refused; the store is not concerned.
        """

    def published(self, symbol: str) -> list[Published]:
        """Return every head of ``symbol`` that was published, oldest first.

        Raises:
            LedgerError: the sink cannot be read.
        """


def line_of(head: Head, after: bytes = b"") -> bytes:
    """Return one line of JSON for ``head``, published now, to be appended to what is there, ``after``.

    An editor may have taken away the end of the last line there.
    """
    line = canonical_json(
        {
            "symbol": head.symbol,
            "seq": head.seq,
            "record_sha256": head.record_sha256,
            "published_at": dt.datetime.now(dt.UTC).isoformat(),
        }
    )
    return line if not after or after.endswith(b"\n") else b"\n" + line


def parse_lines(content: bytes, symbol: str, where: str) -> list[Published]:
    """Return the heads of ``symbol`` in lines of JSON; blank ones are skipped.

    Raises:
        LedgerError: a line is not one; it is named.
    """
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            at = _instant(item["published_at"])
            head = Published(str(item["symbol"]), int(item["seq"]), str(item["record_sha256"]), at)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise LedgerError(
                f"{where}, line {number} is no published head; put back what it said"
            ) from error
        if head.symbol == symbol:
            found.append(head)
    return found


def _instant(text: str) -> dt.datetime:
    """Read a time with its zone; ValueError if it is none, or of no year that a head can be of."""
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None or not 2000 < at.year < 9000:
        raise ValueError(f"{at} is no time at which a head can have been published")
    return at


def is_there(published: Iterable[Published], head: Head) -> bool:
    """Return whether ``head`` was published already."""
    return any((p.seq, p.record_sha256) == (head.seq, head.record_sha256) for p in published)
