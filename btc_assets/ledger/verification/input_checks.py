"""Compare the candles and features that the records say were read with those that are stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import RAW_KLINES, TableSpec
from btc_assets.ledger.digest import bar_digests, candle_digests, feature_digests
from btc_assets.ledger.records import IssueRecord
from btc_assets.ledger.verification.report import Fault
from btc_assets.storage.bitemporal import bar_versions, known, versions
from btc_assets.storage.tables import TableStore


def check_versions(tables: TableStore, spec: TableSpec, read: Mapping[int, IssueRecord]) -> Iterator[str]:
    """A note if the table's version, which only grows, is older than one that was read.

    ``read`` is the first record that read each version. It is no fault by itself, since a store that was
    moved elsewhere counts anew; whether anything is lost, the hashes tell.
    """
    now = tables.version(spec)
    ahead = [record for version, record in sorted(read.items()) if version > now]
    if ahead:
        yield (
            f"{spec.name} is at version {now}, older than the {ahead[0].candles_version} that record "
            f"{ahead[0].seq} read: it was rolled back, or the store was moved"
        )


def check_candles(tables: TableStore, symbol: str, records: Sequence[IssueRecord]) -> Iterator[Fault]:
    """Candles as known when each of ``records`` was issued hash to what it says; the first that differ."""
    everything = versions(tables, symbol)
    for epoch in epochs(everything, [r for r in records if r.candles_sha256]):
        seen = known(everything, epoch.until)
        arrived = dict(seen.select("date", "ingested_at").iter_rows())
        digests = candle_digests(seen, [r.origin_date for r in epoch.records])
        good: dt.date | None = None
        for record in sorted(epoch.records, key=lambda r: (r.origin_date, r.seq)):
            origin = record.origin_date
            if origin not in arrived or arrived[origin] > record.issued_at:
                message = "its candle is not there, or was stored only after the forecast was issued"
            elif digests[origin] != record.candles_sha256:
                well = f"; up to {good} they are" if good else ""
                message = (
                    f"candles up to {origin} as known then are not those that were read{well}: one was "
                    "altered or removed, or raw_klines was rolled back"
                )
            else:
                good = origin
                continue
            yield Fault(record.seq, origin, "candles", message)
            break


def check_bars(tables: TableStore, symbol: str, records: Sequence[IssueRecord]) -> Iterator[Fault]:
    """The same of 4-hour candles, of which a day may have none."""
    everything = bar_versions(tables, symbol)
    for epoch in epochs(everything, [r for r in records if r.bars_sha256]):
        digests = bar_digests(known(everything, epoch.until), [r.origin_date for r in epoch.records])
        for record in sorted(epoch.records, key=lambda r: (r.origin_date, r.seq)):
            if digests[record.origin_date] != record.bars_sha256:
                message = (
                    f"4-hour candles up to {record.origin_date} as known then are not those that were read: "
                    "one was altered or removed, or raw_klines_4h was rolled back"
                )
                yield Fault(record.seq, record.origin_date, "candles", message)
                break


def check_features(
    tables: TableStore, spec: TableSpec, symbol: str, records: Sequence[IssueRecord]
) -> Iterator[Fault | str]:
    """Features hash to what the records say, where their candles and code are still those of now.

    Features follow from candles: a candle of a day or of 4 hours that was restated or came late changes
    them, and so does other code; then they cannot be compared (a note says how many; ``btc rebuild``
    derives them again).
    """
    vouched = [r for r in records if r.features_sha256]
    origins = [r.origin_date for r in vouched]
    mine = pl.col("symbol") == symbol
    stored = tables.read(spec).filter(mine)
    features = {knows: feature_digests(stored, origins, with_bars=knows) for knows in (True, False)}
    candles = candle_digests(tables.read(RAW_KLINES).filter(mine), origins)
    bars = bar_versions(tables, symbol)
    code, incomparable = vouched[-1].code_version if vouched else "", 0
    for record in sorted(vouched, key=lambda r: (r.origin_date, r.seq)):
        origin = record.origin_date
        if features[bool(record.bars_sha256)][origin] == record.features_sha256:
            continue
        same = candles[origin] == record.candles_sha256 and record.code_version == code
        if (
            same
            and bars.filter(pl.col("ingested_at") > record.issued_at, pl.col("date") <= origin).is_empty()
        ):
            message = (
                f"features up to {origin} are not those that were read, though their candles are: one was "
                f"altered, or {spec.name} was rolled back"
            )
            yield Fault(record.seq, origin, "features", message)
            break
        incomparable += 1
    if incomparable:
        yield f"features of {incomparable:,} records were derived from other candles or by other code since"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Records between two changes of candles that were read before; ``until`` is the time of the last."""

    until: dt.datetime
    records: list[IssueRecord]


def epochs(everything: pl.DataFrame, records: Sequence[IssueRecord]) -> list[Epoch]:
    """Group ``records`` so that what came in within a group lies after the origins of those issued before.

    What was known at a record's time is then, up to its origin, what was known at the group's end: one pass
    over the candles serves the whole group.
    """
    batches = everything.group_by("ingested_at").agg(pl.col("date").min()).sort("ingested_at").iter_rows()
    batch = next(batches, None)
    groups: list[list[IssueRecord]] = []
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
