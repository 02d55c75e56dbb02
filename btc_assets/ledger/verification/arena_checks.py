"""Check the arena's chain, and that the stored rows and candles are those that its records vouch for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS
from btc_assets.ledger.arena_records import (
    ArenaRecord,
    Key,
    arena_digests,
    published_name,
    read_arena_records,
)
from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.publishing.published import HeadSink
from btc_assets.ledger.records import IN_TIME, NOTHING
from btc_assets.ledger.verification.input_checks import check_series
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY, closes_at
from btc_assets.market.issue_timing import issue_kind
from btc_assets.series import SERIES
from btc_assets.storage.tables import TableReader

CHUNK = 92 * DAY
"""Forecasts are hashed three months at a time, so that memory does not grow with history."""


def check_arena(
    tables: TableReader,
    symbol: str,
    sink: HeadSink | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    now: dt.datetime | None = None,
    newest: int | None = None,
) -> Iterator[Fault | int]:
    """Follow the whole chain, and hash what it says of origins in [start, end) again; counts rows.

    Args:
        tables: the store.
        symbol: trading pair.
        sink: where heads were published.
        start: first origin, or the first there is.
        end: the day after the last, or after the last there is.
        now: the time no record may lie after; None: this machine's.
        newest: hash what that many of the newest of these records say alone: for every day.
    """
    stored = read_arena_records(tables, symbol)
    yield from _chain(stored, now or dt.datetime.now(dt.UTC))
    records = [
        record
        for record, _ in stored
        if (start is None or record.origin_date >= start) and (end is None or record.origin_date < end)
    ]
    recent = records if newest is None else records[-newest:]
    days = {record.origin_date for record in recent}
    if newest is None and tables.exists(ARENA_FORECASTS):
        days |= set(tables.read(ARENA_FORECASTS, ["origin_date"], start=start, end=end)["origin_date"])
    yield from _rows(tables, symbol, _vouched(records), days)
    for series in SERIES if recent else ():
        for found in check_series(tables, symbol, series, recent):
            if isinstance(found, Fault):
                where = f"record {found.seq}: " if found.seq is not None else ""
                yield replace(found, seq=None, what="arena", message=f"{where}{found.message}")
    if sink is not None:
        hashes = {record.seq: record.sha256() for record, _ in stored}
        for head in sink.published(published_name(symbol)):
            if hashes.get(head.seq) != head.record_sha256:
                yield _fault(
                    None,
                    f"the head published of record {head.seq} is {head.record_sha256}, but that record is "
                    f"{hashes.get(head.seq, 'missing')}: the chain was rolled back or written anew",
                )


def _chain(stored: Sequence[tuple[ArenaRecord, str]], now: dt.datetime) -> Iterator[Fault]:
    """Follow the records: places, hashes, links, times, and that what was issued in time stays."""
    issued: dict[Key, tuple[ArenaRecord, str]] = {}
    before: ArenaRecord | None = None
    for place, (record, said) in enumerate(stored):
        for problem in _problems(record, said, before, place):
            yield _fault(record, problem)
        if record.issued_at > now + TOLERANCE:
            yield _fault(record, f"issued at {record.issued_at:%Y-%m-%d %H:%M:%S}, which is in the future")
        for key, sha in record.forecasts().items():
            earlier = issued.get(key)
            if earlier and earlier[0].kind in IN_TIME and earlier[1] != sha:
                yield _fault(
                    record, f"{key[1]} {key[2]} was issued in time by record {earlier[0].seq}, and stays"
                )
            issued.setdefault(key, (record, sha))
        before = record


def _problems(record: ArenaRecord, said: str, before: ArenaRecord | None, place: int) -> Iterator[str]:
    if record.seq != place:
        yield f"record {place} is missing or there twice: records were removed or inserted"
    if record.sha256() != said:
        yield f"its content hashes to {record.sha256()}, not to the {said} stored beside it"
    if record.previous_sha256 != (before.sha256() if before else NOTHING):
        yield "it does not name the record before it: that one was altered, or records were moved"
    if before and record.issued_at < before.issued_at:
        yield f"issued before record {before.seq}"
    latest = max(record.local_clock, record.source_clock)
    if not latest <= record.issued_at <= latest + TOLERANCE or record.issued_at < closes_at(
        record.origin_date
    ):
        yield "issued before what its own clocks said, long after, or before its origin was over"
    if record.kind != issue_kind(record.origin_date, record.issued_at, record.live_hours):
        yield f"it says {record.kind}, which its times are not"
    if not record.forecasts() or not record.inputs.get(SERIES[0].name):
        yield "it names no forecast, or no candles that they were computed from"


def _vouched(records: Sequence[ArenaRecord]) -> dict[Key, tuple[ArenaRecord, str]]:
    """Return by forecast the record that vouches for it: the newest; in-time ones have no other."""
    return {key: (record, sha) for record in records for key, sha in record.forecasts().items()}


def _rows(
    tables: TableReader,
    symbol: str,
    vouched: Mapping[Key, tuple[ArenaRecord, str]],
    days: set[dt.date],
) -> Iterator[Fault | int]:
    """Hash the stored rows of ``days`` again, chunk by chunk."""
    while days:
        first = min(days)
        inside = {day for day in days if day < first + CHUNK}
        rows = ARENA_FORECASTS.empty()
        if tables.exists(ARENA_FORECASTS):
            rows = tables.read(ARENA_FORECASTS, start=first, end=max(inside) + DAY).filter(
                pl.col("origin_date").is_in(list(inside)), symbol=symbol
            )
        yield rows.height
        yield from _compare_rows(rows, {key: said for key, said in vouched.items() if key[0] in inside})
        days = days - inside


def _compare_rows(rows: pl.DataFrame, vouched: Mapping[Key, tuple[ArenaRecord, str]]) -> Iterator[Fault]:
    key = ["origin_date", "model", "version"]
    times = rows.group_by(key).agg(first=pl.col("issued_at").min(), last=pl.col("issued_at").max())
    issued = {(origin, model, version): ends for origin, model, version, *ends in times.iter_rows()}
    digests = arena_digests(rows) if rows.height else {}
    for each in sorted(digests.keys() | vouched.keys()):
        name = f"{each[1]} {each[2]}"
        if each not in vouched:
            said = f"rows of {name} without a record: added by hand, or the chain was rolled back"
            yield Fault(None, each[0], "arena", said)
            continue
        record, sha = vouched[each]
        if each not in digests:
            yield _fault(record, f"the rows of {name} are gone; `btc backfill` of the day asks again")
        elif digests[each] != sha:
            yield _fault(
                record, f"the rows of {name} hash to {digests[each]}, not to {sha}: they were altered"
            )
        elif issued[each] != [record.issued_at] * 2:
            yield _fault(record, f"the rows of {name} say that they were issued at another time")


def _fault(record: ArenaRecord | None, message: str) -> Fault:
    where = f"record {record.seq}: " if record else ""
    return Fault(None, record.origin_date if record else None, "arena", where + message)
