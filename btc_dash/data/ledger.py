"""The newest record of the ledger, and by whose clock the chain is dated."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from btc_assets.errors import StorageError
from btc_assets.ledger.publishing.dates import Dates, dates_of
from btc_assets.ledger.publishing.timestamps import HEAD_TIMESTAMPS, stamps_of
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_dash.data.cache import TableCache

_COLUMNS = ["seq", "kind", "origin_date", "record_sha256", "issued_at", "began"]


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The newest record: its number, its hash, when it was written, and since when the chain runs.

    ``clock`` says by whose clock that is, ``dates`` how many live forecasts others have dated in time; both
    as the store has it, which `btc verify` proves. ``late``: forecasts issued after the hours that count as
    live, but before their first target closed.
    """

    seq: int
    sha256: str
    issued_at: dt.datetime
    began: dt.date
    clock: str
    dates: Dates
    late: int


def ledger_head(cache: TableCache) -> LedgerHead | None:
    """Return the head of the chain of issue records, None where no chain was begun or it cannot be read."""

    def load() -> LedgerHead | None:
        rows = cache.read(ISSUE_RECORDS, _COLUMNS).sort("seq")
        if rows.is_empty():
            return None
        last = rows.row(-1, named=True)
        hashes = dict(rows.select("seq", "record_sha256").iter_rows())
        stamps = [s.claimed() for s in stamps_of(cache.read(HEAD_TIMESTAMPS), cache.symbol) if s.proof]
        heads = [head for head in stamps if hashes.get(head.seq) == head.record_sha256]
        newest = [head for head in heads if head.seq == last["seq"]]
        dated = next((head for head in newest if head.dated_by), newest[0] if newest else None)
        issued = rows.filter(pl.col("kind") != "genesis").group_by("origin_date").last()
        live = rows.filter(pl.col("kind") == "live").select("seq", "origin_date").rows()
        return LedgerHead(
            last["seq"],
            last["record_sha256"],
            last["issued_at"],
            last["began"],
            dated.in_words() if dated else "by the operator's own word",
            dates_of(heads, live),
            issued.filter(pl.col("kind") == "late").height,
        )

    try:
        return cache.keep(HEAD_TIMESTAMPS, ("head", cache.version(ISSUE_RECORDS)), load)
    except (StorageError, OSError):
        return None
