"""Heads that others date, and the proofs of it: a table in the store, since a proof needs no guarding."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import polars as pl

from btc_assets.contracts import UTC_US, Column, TableSpec
from btc_assets.errors import LedgerError
from btc_assets.ledger.publishing.block_headers import MARGIN
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.records import Head
from btc_assets.storage.tables import TableStore, read_pair

Kind = Literal["ots", "tsa"]

HEAD_TIMESTAMPS = TableSpec(
    "head_timestamps",
    "Heads of the ledger that were given to OpenTimestamps calendars or a time-stamping authority, with the "
    "proof of when.",
    key=("symbol", "seq", "record_sha256", "kind"),
    day="queued_on",
    columns=(
        Column("symbol", pl.String, "trading pair"),
        Column("seq", pl.Int64, "place of the record in the chain"),
        Column("record_sha256", pl.String, "hash of the record: what is dated"),
        Column("kind", pl.String, "ots (OpenTimestamps) or tsa (RFC 3161)"),
        Column("queued_on", pl.Date, "the day of queued_at"),
        Column("queued_at", UTC_US, "when the head was first to be sent, by this machine's clock (UTC)"),
        Column("sent_to", pl.String, "who has taken it, separated by spaces"),
        Column("proof", pl.String, "base64 of the .ots or .tsr file; empty until somebody has taken it"),
        Column("header", pl.String, "hex of the header of the Bitcoin block that dates it, or empty"),
        Column("dated_at", UTC_US, "the third party's time (UTC); null until there is one"),
        Column("dated_by", pl.String, "the third party: block N, or the authority; empty until there is one"),
    ),
)


GIVEN_UP = dt.timedelta(days=60)
"""How long a head is sent again, and its block asked for; calendars need hours, authorities seconds."""


def utc_now() -> dt.datetime:
    """Return the time (UTC) by this machine's clock."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A row of ``head_timestamps``."""

    symbol: str
    seq: int
    record_sha256: str
    kind: Kind
    queued_on: dt.date
    queued_at: dt.datetime
    sent_to: str = ""
    proof: str = ""
    header: str = ""
    dated_at: dt.datetime | None = None
    dated_by: str = ""

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are dated; LedgerError: the stored hash is none."""
        try:
            digest = bytes.fromhex(self.record_sha256)
        except ValueError:
            digest = b""
        if len(digest) != 32:
            raise LedgerError(
                f"head_timestamps: record {self.seq} of {self.symbol} has no SHA-256 as its hash"
            )
        return digest

    @property
    def file(self) -> bytes:
        """The proof as a file, empty until there is one.

        Raises:
            LedgerError: what is stored is not base64.
        """
        try:
            return base64.b64decode(self.proof, validate=True)
        except ValueError as error:
            raise LedgerError(
                f"head_timestamps: the proof of record {self.seq} is damaged: {error}"
            ) from error

    def claimed(self) -> Published:
        """Return the head as this row dates it, unproved: `btc verify` proves it."""
        return Published(
            self.symbol,
            self.seq,
            self.record_sha256,
            self.dated_at or self.queued_at,
            dated_by=self.dated_by if self.dated_at else "",
            margin=MARGIN if self.kind == "ots" else dt.timedelta(0),
            waiting="" if self.dated_at else "waiting for another clock",
        )


def encoded(file: bytes) -> str:
    """Return a proof's file as the table holds it."""
    return base64.b64encode(file).decode()


class Stamps:
    """The rows of one kind."""

    def __init__(self, tables: TableStore, kind: Kind) -> None:
        self._tables, self._kind = tables, kind

    def read(self, symbol: str) -> list[Stamp]:
        """Return all of ``symbol``, by place in the chain."""
        return list(stamps_of(read_pair(self._tables, HEAD_TIMESTAMPS, symbol), symbol, self._kind))

    def queue(self, head: Head) -> list[Stamp]:
        """Note that ``head`` is to be sent, before anybody is asked; returns it and what is not given up.

        From here on no kill can lose it: whatever has no proof is sent by the next run.
        """
        there, now = self.read(head.symbol), utc_now()
        if not any((s.seq, s.record_sha256) == (head.seq, head.record_sha256) for s in there):
            new = Stamp(head.symbol, head.seq, head.record_sha256, self._kind, now.date(), now)
            self.save([new])
            there.append(new)
        return [s for s in there if s.queued_at > now - GIVEN_UP or s.record_sha256 == head.record_sha256]

    def save(self, stamps: Iterable[Stamp]) -> None:
        """Store rows, all or none."""
        rows = [asdict(stamp) for stamp in stamps]
        if rows:
            self._tables.upsert(HEAD_TIMESTAMPS, pl.DataFrame(rows, schema=HEAD_TIMESTAMPS.schema))


def stamps_of(rows: pl.DataFrame, symbol: str, kind: Kind | None = None) -> Iterator[Stamp]:
    """Return the stamps of ``symbol`` among rows of ``head_timestamps``, by place in the chain."""
    rows = rows.filter(pl.col("symbol") == symbol).sort("seq", "queued_at")
    for row in rows.iter_rows(named=True):
        if kind in (None, row["kind"]):
            yield Stamp(**row)
