"""Issue what the forecasters that compete said: the record first, then its rows; what was issued stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS
from btc_assets.errors import LedgerError, WriteConflict
from btc_assets.ledger.arena_records import ARENA_RECORDS, ArenaRecord, Key, arena_digests, read_arena_records
from btc_assets.ledger.clock import Clock, issue_time, kind_of
from btc_assets.ledger.continuity import check_continuity
from btc_assets.ledger.digest import series_digests
from btc_assets.ledger.issue import ATTEMPTS
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.records import IN_TIME, NOTHING, Head, records_frame
from btc_assets.market.calendar import DAY
from btc_assets.series import SERIES
from btc_assets.storage.bitemporal import newest
from btc_assets.storage.tables import TableStore


@dataclass(frozen=True, slots=True)
class ArenaIssued:
    """What came of it: the newest record's head, and the forecasts that were issued otherwise before."""

    head: Head | None
    refused: Collection[Key]


def issue_arena(
    tables: TableStore,
    rows: pl.DataFrame,
    series: Mapping[str, pl.DataFrame],
    clock: Clock,
    live_hours: int,
    heads: Iterable[Published] = (),
) -> ArenaIssued:
    """Record and store ``rows`` of ARENA_FORECASTS without ``issued_at``, of one symbol.

    Args:
        rows: whole forecasts that are not stored; what a record of an earlier run vouches for, whose rows
            are gone, must be the same again, or it is refused if it was issued in time.
        series: by name, the rows that the forecasters were given, up to the newest origin at least.
        clock: read after they were computed.
        live_hours: within how many hours after the close a forecast is live.
        heads: that were seen before, which must be in the chain (``continuity.known_heads``).

    Raises:
        LedgerError: candles changed meanwhile, the clocks disagree where it matters, or the chain lacks a
            record that was seen before; nothing was written.
        WriteConflict: other writers kept winning; nothing was written.
    """
    if rows.is_empty():
        return ArenaIssued(None, ())
    symbol, digests = str(rows["symbol"][0]), arena_digests(rows)
    inputs = _inputs(tables, symbol, series, sorted({origin for origin, _, _ in digests}))
    seen = list(heads)
    for _ in range(ATTEMPTS):
        check_continuity(tables, symbol, seen, ARENA_RECORDS)
        stored = [record for record, _ in read_arena_records(tables, symbol)]
        before = {key: (record, sha) for record in stored for key, sha in record.forecasts().items()}
        refused = {
            key
            for key, sha in digests.items()
            if key in before and before[key][0].kind in IN_TIME and before[key][1] != sha
        }
        again = {
            k: before[k][0].issued_at for k, sha in digests.items() if k in before and before[k][1] == sha
        }
        new = {key: sha for key, sha in digests.items() if key not in refused and key not in again}
        records = _records(symbol, new, inputs, stored, clock, live_hours)
        try:
            if records:
                tables.insert(ARENA_RECORDS, records_frame(records, ARENA_RECORDS))
        except WriteConflict:
            continue
        times = again | {key: record.issued_at for record in records for key in record.forecasts()}
        tables.insert(ARENA_FORECASTS, _stamped(rows, times))
        last = [*stored, *records]
        return ArenaIssued(last[-1].head() if last else None, refused)
    raise WriteConflict(
        f"other writers extended the arena's chain of {symbol} {ATTEMPTS} times in a row; nothing was "
        "issued, run the partition again"
    )


def _records(
    symbol: str,
    new: Mapping[Key, str],
    inputs: Mapping[dt.date, Mapping[str, str]],
    stored: Sequence[ArenaRecord],
    clock: Clock,
    live_hours: int,
) -> list[ArenaRecord]:
    """Return the records that extend the chain, one an origin, in order."""
    last = stored[-1] if stored else None
    records: list[ArenaRecord] = []
    for origin in sorted({origin for origin, _, _ in new}):
        at = issue_time(clock, last.issued_at if last else None)
        entrants = [
            {"model": model, "version": version, "rows_sha256": sha}
            for (day, model, version), sha in sorted(new.items())
            if day == origin
        ]
        last = ArenaRecord(
            symbol=symbol,
            began=last.began if last else at.date(),
            seq=last.seq + 1 if last else 0,
            kind=kind_of(origin, at, clock, live_hours),
            origin_date=origin,
            issued_at=at,
            local_clock=clock.local,
            source_clock=clock.source,
            live_hours=live_hours,
            entrants=entrants,
            inputs=inputs[origin],
            note=clock.note(),
            previous_sha256=last.sha256() if last else NOTHING,
        )
        records.append(last)
    return records


def _inputs(
    tables: TableStore, symbol: str, series: Mapping[str, pl.DataFrame], origins: Sequence[dt.date]
) -> dict[dt.date, dict[str, str]]:
    """Return by origin and series the hash of what was read, if that is what is stored now."""
    found: dict[dt.date, dict[str, str]] = {origin: {} for origin in origins}
    end = origins[-1] + DAY
    for one in SERIES:
        read = series.get(one.name, one.newest.empty())
        if read.is_empty():
            continue
        then = series_digests(one, read.filter(pl.col("date") < end), origins)
        now = series_digests(one, newest(tables, symbol, one, end=end), origins)
        changed = [origin for origin in origins if then[origin] != now[origin]]
        if changed:
            raise LedgerError(
                f"{one.title} up to {changed[0]} changed while forecasters were asked; nothing was issued, "
                "run the partition again"
            )
        for origin in origins:
            found[origin][one.name] = then[origin]
    return found


def _stamped(rows: pl.DataFrame, times: Mapping[Key, dt.datetime]) -> pl.DataFrame:
    """Return the rows of the forecasts in ``times``, with the time of issue."""
    key = ("origin_date", "model", "version")
    stamps = pl.DataFrame(
        [(*each, at) for each, at in times.items()],
        schema={name: ARENA_FORECASTS.schema[name] for name in (*key, "issued_at")},
        orient="row",
    )
    return rows.join(stamps, on=key, how="inner").select(ARENA_FORECASTS.schema.names())
