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
from btc_assets.ledger.possible import impossible
from btc_assets.ledger.publishing.published import HeadSink
from btc_assets.ledger.records import IN_TIME, NOTHING
from btc_assets.ledger.verification.chain_checks import (
    clock_problem,
    head_problems,
    is_between,
    link_problems,
    time_problems,
)
from btc_assets.ledger.verification.input_checks import check_series
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY
from btc_assets.series import SERIES
from btc_assets.storage.tables import TableReader, read_pair

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
        sink: where heads were published.
        start: first origin, or the first there is.
        end: the day after the last, or after the last there is.
        now: the time no record may lie after; None: this machine's.
        newest: hash what that many of the newest of these records say alone: for every day.
    """
    stored = read_arena_records(tables, symbol)
    yield from _chain(stored, now or dt.datetime.now(dt.UTC))
    records = [record for record, _ in stored if is_between(record.origin_date, start, end)]
    recent = records if newest is None else records[-newest:]
    days = {record.origin_date for record in recent}
    if newest is None:
        days |= set(read_pair(tables, ARENA_FORECASTS, symbol, ["origin_date"], start, end)["origin_date"])
    # The newest record vouches for a forecast; what was issued in time has no other.
    vouched = {key: (record, sha) for record in records for key, sha in record.forecasts().items()}
    yield from _rows(tables, symbol, vouched, days)
    for series in SERIES if recent else ():
        for found in check_series(tables, symbol, series, recent):
            if isinstance(found, Fault):
                where = f"record {found.seq}: " if found.seq is not None else ""
                yield replace(found, seq=None, what="arena", message=f"{where}{found.message}")
    if sink is not None:
        heads = sink.published(published_name(symbol))
        for seq, _, problem in head_problems(heads, {record.seq: record for record, _ in stored}):
            yield _fault(None, f"record {seq}: {problem}")


def _chain(stored: Sequence[tuple[ArenaRecord, str]], now: dt.datetime) -> Iterator[Fault]:
    """Follow the records: places, hashes, links, times, and that what was issued in time stays."""
    issued: dict[Key, tuple[ArenaRecord, str]] = {}
    before, expected, previous_sha = None, 0, NOTHING
    for record, said in stored:
        sha = record.sha256()
        for _, problem in (
            *link_problems(record, said, sha, expected, previous_sha),
            *time_problems(record, before, record.live_hours),
        ):
            yield _fault(record, problem)
        yield from (_fault(record, problem) for problem in clock_problem(record))
        if not record.forecasts() or not record.inputs.get(SERIES[0].name):
            yield _fault(record, "it names no forecast, or no candles that they were computed from")
        if record.issued_at > now + TOLERANCE:
            yield _fault(record, f"issued at {record.issued_at:%Y-%m-%d %H:%M:%S}, which is in the future")
        for key, rows_sha in record.forecasts().items():
            earlier = issued.get(key)
            if earlier and earlier[0].kind in IN_TIME and earlier[1] != rows_sha:
                yield _fault(
                    record, f"{key[1]} {key[2]} was issued in time by record {earlier[0].seq}, and stays"
                )
            issued.setdefault(key, (record, rows_sha))
        before, expected, previous_sha = record, record.seq + 1, sha


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
        rows = read_pair(tables, ARENA_FORECASTS, symbol, start=first, end=max(inside) + DAY)
        rows = rows.filter(pl.col("origin_date").is_in(list(inside)))
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
    for row in impossible(rows).sort("origin_date", "model", "horizon").head(1).iter_rows(named=True):
        said = f"the row of {row['model']} +{row['horizon']} for {row['target_date']} can be no forecast"
        yield Fault(None, row["origin_date"], "arena", said)


def _fault(record: ArenaRecord | None, message: str) -> Fault:
    where = f"record {record.seq}: " if record else ""
    return Fault(None, record.origin_date if record else None, "arena", where + message)
