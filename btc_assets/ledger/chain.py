"""Begin a chain, also on a store that has forecasts already, and begin anew after a record at fault."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl

from btc_assets.errors import LedgerError
from btc_assets.ledger.clock import Clock, kind_of
from btc_assets.ledger.digest import forecast_digests
from btc_assets.ledger.records import (
    ISSUE_RECORDS,
    NOTHING,
    Head,
    IssueRecord,
    Kind,
    read_chain,
    records_frame,
)
from btc_assets.storage.tables import TableStore

ADOPTED = "in the store before the chain began; when it was made is not known, its inputs neither"


def restart_chain(tables: TableStore, symbol: str, clock: Clock, reason: str) -> Head:
    """Append a genesis record after a newest record that nothing could follow (a clock was years ahead).

    Records before it stay and keep their hashes; ``verify`` names the restart and its ``reason``.

    Raises:
        LedgerError: there is no chain, or the newest record does not lie in the future.
        WriteConflict: another writer was first.
    """
    chain = read_chain(tables, symbol)
    if chain is None:
        raise LedgerError(f"{symbol} has no chain to restart; issuing a forecast begins one")
    if chain.head.issued_at <= clock.now:
        raise LedgerError(
            f"the newest record of {symbol} is of {chain.head.issued_at.isoformat()}, which is not in the "
            "future: the chain can go on as it is"
        )
    record = _made_now(symbol, clock, "genesis", clock.now.date(), f"restarted: {reason}", chain.head)
    record = replace(record, began=chain.began)
    tables.insert(ISSUE_RECORDS, records_frame([record]))
    return record.head()


def first_records(symbol: str, stored: pl.DataFrame, clock: Clock) -> list[IssueRecord]:
    """Begin a chain: a genesis record, and one for each origin of ``stored``, rows of ``forecasts``.

    Forecasts that are stored already are dated to now, since nothing proves an earlier time.

    Raises:
        LedgerError: the clocks disagree where it matters.
    """
    digests, counts = forecast_digests(stored), dict(stored.group_by("origin_date").len().iter_rows())
    note = f"{len(digests)} forecasts were here before" if digests else "a new store"

    records = [_made_now(symbol, clock, "genesis", clock.now.date(), f"the chain begins: {note}", None)]
    for origin in sorted(digests):
        kind = kind_of(origin, clock.now, clock)
        adopted = _made_now(symbol, clock, kind, origin, ADOPTED, records[-1].head())
        records.append(replace(adopted, rows=counts[origin], rows_sha256=digests[origin]))
    return records


def _made_now(
    symbol: str, clock: Clock, kind: Kind, origin: dt.date, note: str, previous: Head | None
) -> IssueRecord:
    """Return a record without inputs, after ``previous``; with None it begins the chain."""
    return IssueRecord(
        symbol=symbol,
        began=clock.now.date(),
        seq=previous.seq + 1 if previous else 0,
        kind=kind,
        origin_date=origin,
        issued_at=clock.now,
        local_clock=clock.local,
        source_clock=clock.source,
        note=note,
        previous_sha256=previous.record_sha256 if previous else NOTHING,
    )
