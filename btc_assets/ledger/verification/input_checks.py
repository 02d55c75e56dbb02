"""Check the series and features that the records say were read against those that are stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.ledger.arena_records import ArenaRecord
from btc_assets.ledger.clock import TOLERANCE
from btc_assets.ledger.digest import feature_digests, series_digests
from btc_assets.ledger.records import IssueRecord
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY, days
from btc_assets.modeling.features import FROM_SERIES
from btc_assets.series import SERIES, Series
from btc_assets.storage.bitemporal import known, newest, versions
from btc_assets.storage.tables import TableReader

Vouching = IssueRecord | ArenaRecord
"""A record of either chain, which says what series were read."""


def check_series(
    tables: TableReader, symbol: str, series: Series, records: Sequence[Vouching]
) -> Iterator[Fault | str]:
    """Check the rows that ``records`` say were read of ``series``, and that its table was not rolled back."""
    yield from _check_version(tables, series, records)
    yield from _check_content(tables, symbol, series, records)


def _check_version(tables: TableReader, series: Series, records: Sequence[Vouching]) -> Iterator[str]:
    """Return a note if the table's version, which only grows, is older than one that was read.

    It is no fault by itself, since a store that was moved elsewhere counts anew; whether anything is lost,
    the hashes tell.
    """
    read: dict[int, Vouching] = {}
    for record in records:
        read.setdefault(record.snapshot(series).version, record)
    if max(read, default=-1) < 0:
        return
    now = tables.version(series.newest)
    ahead = [(version, record) for version, record in sorted(read.items()) if version > now]
    if ahead:
        version, record = ahead[0]
        yield (
            f"{series.name} is at version {now}, older than the {version} that record {record.seq} read: it "
            "was rolled back, or the store was moved"
        )


def _check_content(
    tables: TableReader, symbol: str, series: Series, records: Sequence[Vouching]
) -> Iterator[Fault | str]:
    """Check that rows as known when each of ``records`` was issued hash to what it says."""
    now = newest(tables, symbol, series)
    everything = versions(tables, symbol, series, now=now)
    yield from _restated_closes(series, everything)
    yield from _impossible(series, now, everything)
    yield from _gaps(series, everything, min(r.origin_date for r in records))
    for epoch in epochs(everything, [r for r in records if r.snapshot(series).sha256]):
        seen = known(everything, epoch.until, series)
        origins = {r.origin_date for r in epoch.records}
        own = seen.filter(pl.col("date").is_in(list(origins)))
        arrived = dict(own.select("date", "ingested_at").iter_rows())
        digests = series_digests(series, seen, origins)
        good: dt.date | None = None
        for record in sorted(epoch.records, key=lambda r: (r.origin_date, r.seq)):
            origin = record.origin_date
            late = origin not in arrived or arrived[origin] > record.issued_at
            if late and not series.optional:
                message = "its candle is not there, or was stored only after the forecast was issued"
            elif digests[origin] != record.snapshot(series).sha256:
                well = f"; up to {good} they are" if good else ""
                message = (
                    f"{series.title} up to {origin} as known then are not those that were read{well}: one "
                    f"was altered or removed, or {series.name} was rolled back"
                )
            else:
                good = origin
                continue
            yield Fault(record.seq, origin, series.noun, message)
            break


def _restated_closes(series: Series, everything: pl.DataFrame) -> Iterator[str]:
    """Return a note if a close differs between versions: scores follow the newest, so it can flatter them."""
    if "close" not in everything.columns:
        return
    same = pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in series.order)
    moved = everything.filter(same & (pl.col("close") != pl.col("close").shift(1)))
    if not moved.is_empty():
        yield (
            f"{moved.height:,} closes of {series.title} were restated after they had been stored, the last "
            f"of {moved.item(-1, 'date')}: compare them with the exchange"
        )


def _impossible(series: Series, now: pl.DataFrame, everything: pl.DataFrame) -> Iterator[Fault]:
    """Find rows that are there twice, and rows from before their day was over."""
    keys = now.select(series.key)
    twice = keys.filter(keys.is_duplicated()).sort(series.key)
    if not twice.is_empty():
        message = f"{series.title} of {twice.item(0, 'date')} are there more than once in {series.name}"
        yield Fault(None, None, series.noun, message)
    over = pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + DAY - TOLERANCE
    early = everything.filter(pl.col("ingested_at") < over)
    if not early.is_empty():
        message = f"a row of {series.name} of {early.item(0, 'date')} was stored before its day was over"
        yield Fault(None, None, series.noun, message)


def _gaps(series: Series, everything: pl.DataFrame, first: dt.date) -> Iterator[str]:
    """Return a note if days since the first origin have no candle: what is about them is scored nowhere."""
    if series.optional or everything.is_empty():
        return
    there = set(everything["date"].unique())
    gaps = [day for day in days(first, max(there)) if day not in there]
    if gaps:
        yield f"{len(gaps):,} days have no candle, the last {gaps[-1]}: no forecast about them counts"


def check_features(
    tables: TableReader, spec: TableSpec, symbol: str, records: Sequence[IssueRecord]
) -> Iterator[Fault | str]:
    """Check that features hash to what the records say, where series and code are still those of then.

    Features follow from the series: a row that was restated or came late changes them, and so does other
    code; then they cannot be compared (a note says how many; ``btc rebuild`` derives them again).
    """
    vouched = [r for r in records if r.features_sha256]
    origins = [r.origin_date for r in vouched]
    mine = pl.col("symbol") == symbol
    stored = tables.read(spec).filter(mine)
    features = {w: feature_digests(stored, origins, w) for w in {columns_unknown_to(r) for r in vouched}}

    @cache  # hashed only if some features differ
    def now() -> dict[str, dict[dt.date, str]]:
        return {s.name: series_digests(s, newest(tables, symbol, s), origins) for s in SERIES}

    code, incomparable = vouched[-1].code_version if vouched else "", 0
    for record in sorted(vouched, key=lambda r: (r.origin_date, r.seq)):
        origin = record.origin_date
        if features[columns_unknown_to(record)][origin] == record.features_sha256:
            continue
        same = all(now()[name][origin] == said.sha256 for name, said in record.inputs.items() if said.sha256)
        if same and record.code_version == code:
            message = (
                f"features up to {origin} are not those that were read, though their candles are: one was "
                f"altered, or {spec.name} was rolled back"
            )
            yield Fault(record.seq, origin, "features", message)
            break
        incomparable += 1
    if incomparable:
        yield f"features of {incomparable:,} records were derived from other candles or by other code since"


def columns_unknown_to(record: IssueRecord) -> tuple[str, ...]:
    """Name the features that ``record`` went without: it does not know the series they follow from."""
    unknown = [series.name for series in SERIES if not record.snapshot(series).sha256]
    return tuple(column for name in unknown for column in FROM_SERIES.get(name, ()))


@dataclass(frozen=True, slots=True)
class Epoch:
    """Records between two changes of rows that were read before; ``until`` is the time of the last."""

    until: dt.datetime
    records: list[Vouching]


def epochs(everything: pl.DataFrame, records: Sequence[Vouching]) -> list[Epoch]:
    """Group ``records`` so that what came in within a group lies after the origins of those issued before.

    What was known at a record's time is then, up to its origin, what was known at the group's end: one pass
    over the rows serves the whole group.
    """
    batches = everything.group_by("ingested_at").agg(pl.col("date").min()).sort("ingested_at").iter_rows()
    batch = next(batches, None)
    groups: list[list[Vouching]] = []
    reach = dt.date.min
    for record in sorted(records, key=lambda r: r.issued_at):
        changed = not groups
        while batch is not None and batch[0] <= record.issued_at:
            changed |= batch[1] <= reach
            batch = next(batches, None)
        if changed:
            groups.append([])
            reach = dt.date.min
        groups[-1].append(record)
        reach = max(reach, record.origin_date)
    return [Epoch(group[-1].issued_at, group) for group in groups]
