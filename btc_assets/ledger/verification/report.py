"""What a verification found, and how it says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from btc_assets.ledger.records import Head


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not what was recorded.

    Attributes:
        seq: the first record concerned, or None where the chain as a whole is.
        origin: the origin concerned, if it is one.
        what: one word: clock, chain, record, rows, candles, features, model, scores, published or arena.
        message: what differs, where, and what it can mean.
    """

    seq: int | None
    origin: dt.date | None
    what: str
    message: str

    def __str__(self) -> str:
        where = f"record {self.seq}, " if self.seq is not None else ""
        origin = f"origin {self.origin}, " if self.origin else ""
        return printable(f"{where}{origin}{self.what}: {self.message}")


@dataclass(frozen=True)
class Report:
    """The result of ``verify``.

    Attributes:
        head: the newest record, or None if there is no chain.
        records: records in the chain, genesis included.
        live: origins whose newest record is live; ``late`` and ``back_filled`` likewise.
        outside: origins that are recorded, but were not to be looked at.
        rows: forecast rows that were hashed.
        models: vintages whose files were hashed.
        scored: baselines, scores and answers that were compared with what is computed again; None: none was.
        missing: scores and answers that are due but not there.
        published: heads outside the store that were compared.
        since: the day from which on the chain proves anything (UTC).
        faults: in order of the records concerned; empty: all is well.
        notes: what is no fault but should be known.
        seconds: how long it took.
        arena: rows of forecasters that compete that were hashed.
    """

    symbol: str
    head: Head | None
    records: int
    live: int
    late: int
    back_filled: int
    outside: int
    rows: int
    models: int
    published: int
    since: dt.date | None
    faults: Sequence[Fault]
    notes: Sequence[str]
    seconds: float
    scored: int | None = None
    missing: int = 0
    arena: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything is what was recorded."""
        return not self.faults

    def line(self) -> str:
        """Say in one line that all is well, or the first fault."""
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            return f"NOT as recorded: {self.faults[0]}{more}"
        if self.head is None and self.arena:
            return (
                f"All is well: nothing but {self.arena:,} rows of the arena of {self.symbol} was issued yet"
            )
        if self.head is None:
            return f"{self.symbol}: nothing was issued yet, so there is nothing to verify"
        heads = (
            "1 published head agrees" if self.published == 1 else f"{self.published:,} published heads agree"
        )
        late = f", {self.late:,} late" if self.late else ""
        arena = f"{self.arena:,} rows of the arena, " if self.arena else ""
        outside = heads if self.published else "no head was published"
        part = f" in a PART, {self.outside:,} more origins are recorded" if self.outside else ""
        return (
            f"All is well{part}: {self.records:,} records of {self.symbol} since {self.since}, "
            f"{self.live:,} live{late} and {self.back_filled:,} back-filled forecasts ({self.rows:,} rows), "
            f"{self.models:,} vintages, {self._scores()}{arena}{outside}; head {self.head.record_sha256} "
            f"(record {self.head.seq}); {self.seconds:.1f} s"
        )

    def _scores(self) -> str:
        if self.scored is None:
            return "scores not checked, "
        lacking = f" ({self.missing:,} more are due and not there)" if self.missing else ""
        return f"{self.scored:,} scores computed again{lacking}, "


def printable(text: str) -> str:
    """Return ``text``, which may hold names that others chose, so that no terminal takes it for a command."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
