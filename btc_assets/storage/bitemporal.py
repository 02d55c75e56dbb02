"""Bitemporal candles: a restated candle is a new version, and "as known at T" can be read for any T.

``raw_klines`` holds the newest version of each candle and ``superseded_klines`` every older one, so
that a forecast which was issued keeps pointing at the candles that it saw. 4-hour candles have the same two
tables of their own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import (
    RAW_KLINES,
    RAW_KLINES_4H,
    SUPERSEDED_KLINES,
    SUPERSEDED_KLINES_4H,
    TableSpec,
)
from btc_assets.errors import LedgerError
from btc_assets.market.calendar import DAY
from btc_assets.storage.tables import Receipt, TableStore, conform

CONTENT = [c for c in RAW_KLINES.schema.names() if c not in (*RAW_KLINES.key, "source", "ingested_at")]
"""The columns that make two versions of a candle different; where it came from does not."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The two tables that keep candles of one length: their newest versions, and the earlier ones."""

    newest: TableSpec
    superseded: TableSpec

    @property
    def key(self) -> list[str]:
        """What names a candle, whatever its version."""
        return list(self.newest.key)


DAYS = Kept(RAW_KLINES, SUPERSEDED_KLINES)
BARS = Kept(RAW_KLINES_4H, SUPERSEDED_KLINES_4H)


@dataclass(frozen=True, slots=True)
class Landing:
    """What came of candles that were brought in.

    Attributes:
        receipt: new candles (``inserted``), restated ones (``updated``) and those known already.
        restated: the versions that were replaced, as rows of ``superseded_klines``.
    """

    receipt: Receipt
    restated: pl.DataFrame


def land(tables: TableStore, candles: pl.DataFrame, now: dt.datetime, kept: Kept = DAYS) -> Landing:
    """Store what is new or restated in ``candles`` as known from ``now`` on; keep what is equal as it is.

    The old version of a restated candle is put aside before the new one is stored: a process that dies
    in between leaves one version in both tables, which reads the same and is put right by the next run.

    Args:
        tables: where candles are kept.
        candles: rows of ``kept.newest``; their ``ingested_at`` is replaced by ``now``.
        now: the current time (time zone aware).
        kept: where candles of their length are kept.

    Raises:
        StorageError: ``candles`` is not what the contract says.
        LedgerError: ``now`` lies before a stored version of a restated candle, so that the clock is wrong.
    """
    newest, superseded = kept.newest, kept.superseded
    incoming = conform(newest, candles.with_columns(ingested_at=_utc(now)))
    tables.ensure_table(newest)
    tables.ensure_table(superseded)
    stored = _stored(tables, newest, incoming)
    beside = incoming.join(stored, on=kept.key, how="left", suffix="_stored", maintain_order="left")
    is_new = beside["ingested_at_stored"].is_null()
    content = [c for c in CONTENT if c not in newest.key]
    differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_stored")) for c in content)
    is_restated = beside.select(differs).to_series() & ~is_new
    old = stored.join(incoming.filter(is_restated), on=kept.key, how="semi", maintain_order="left")
    _refuse_time_going_back(old, now)
    restated = old.with_columns(superseded_at=_utc(now)).select(superseded.schema.names())
    if not restated.is_empty():
        tables.upsert(superseded, restated)
    changed = incoming.filter(is_new | is_restated)
    version = tables.version(newest) if changed.is_empty() else tables.upsert(newest, changed).version
    unchanged = incoming.height - changed.height
    return Landing(Receipt(int(is_new.sum()), restated.height, unchanged, version), restated)


def as_known_at(
    tables: TableStore, symbol: str, t: dt.datetime, start: dt.date | None = None, end: dt.date | None = None
) -> pl.DataFrame:
    """The candles of ``symbol`` as they were known at ``t`` (time zone aware): rows of ``raw_klines``.

    Args:
        tables: where candles are kept.
        symbol: trading pair.
        t: the instant; a version stored at ``t`` itself counts as known.
        start: first day, or the first there is.
        end: the day after the last, or the last there is.

    Raises:
        TableMissing: no candle was ever stored.
    """
    return known(versions(tables, symbol, start, end), t)


def versions(
    tables: TableStore,
    symbol: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    kept: Kept = DAYS,
) -> pl.DataFrame:
    """Every version of every candle of ``symbol``: rows of ``kept.newest``, in order and by ``ingested_at``.

    The newest versions are read first. A writer puts the old version aside before it stores the new one,
    so whatever leaves the table during the two reads is found in the second.
    """
    newest = tables.read(kept.newest, start=start, end=end)
    frames = [newest]
    if tables.exists(kept.superseded):
        older = tables.read(kept.superseded, start=start, end=end)
        frames.append(older.select(newest.columns))
    both = pl.concat(frames).filter(pl.col("symbol") == symbol)
    return both.unique([*kept.key, "ingested_at"], keep="first").sort("date", "open_time", "ingested_at")


def bar_versions(tables: TableStore, symbol: str, end: dt.date | None = None) -> pl.DataFrame:
    """Every version of every 4-hour candle of ``symbol``; none where they were never stored."""
    if not tables.exists(RAW_KLINES_4H):
        return RAW_KLINES_4H.empty()
    return versions(tables, symbol, end=end, kept=BARS)


def known(all_versions: pl.DataFrame, t: dt.datetime) -> pl.DataFrame:
    """Of ``versions(...)``, the one of each candle that was the newest at ``t``."""
    until = all_versions.filter(pl.col("ingested_at") <= _utc(t))
    return until.unique(BARS.key, keep="last", maintain_order=True).sort("date", "open_time")


def _stored(tables: TableStore, spec: TableSpec, incoming: pl.DataFrame) -> pl.DataFrame:
    """The stored newest versions of the days that ``incoming`` spans."""
    if incoming.is_empty():
        return spec.empty()
    first, last = incoming["date"][0], incoming["date"][-1]
    return tables.read(spec, start=first, end=last + DAY)


def _refuse_time_going_back(old: pl.DataFrame, now: dt.datetime) -> None:
    """A version cannot be replaced before it was stored."""
    late = old.filter(pl.col("ingested_at") >= _utc(now))
    if not late.is_empty():
        row = late.row(0, named=True)
        raise LedgerError(
            f"the candle of {row['symbol']} {row['date']} is restated, but its stored version is of "
            f"{row['ingested_at'].isoformat()} and the clock says {now.isoformat()}: one of the two clocks "
            "was wrong. Nothing was written; correct the clock and run it again"
        )


def _utc(t: dt.datetime) -> pl.Expr:
    """``t`` as a literal of the contracts' type."""
    return pl.lit(t.astimezone(dt.UTC), dtype=RAW_KLINES.schema["ingested_at"])
