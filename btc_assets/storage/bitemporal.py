"""Keep a series in versions: a restated row is a new version, and what was known at T can be read for any T.

One table of a series holds the newest version of each row and another every older one, so that a forecast
which was issued keeps pointing at the candles that it was computed from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import RAW_IMPLIED_VOLATILITY, RAW_KLINES, UTC_US, TableSpec
from btc_assets.errors import LedgerError
from btc_assets.market.calendar import DAY
from btc_assets.market.implied_volatility import ImpliedVolatility
from btc_assets.market.kline import Kline
from btc_assets.series import CANDLES, Series
from btc_assets.storage.tables import Receipt, TableReader, TableStore, conform, read_pair


def klines_frame(
    klines: Sequence[Kline], ingested_at: dt.datetime, spec: TableSpec = RAW_KLINES
) -> pl.DataFrame:
    """Build rows of ``spec`` (``raw_klines`` or ``raw_klines_4h``), stored at ``ingested_at`` (UTC)."""
    values = {name: [getattr(kline, name) for kline in klines] for name in Kline.__slots__}
    values["ingested_at"] = [ingested_at] * len(klines)
    return pl.DataFrame({name: values[name] for name in spec.schema}, schema=spec.schema)


def volatility_frame(values: Sequence[ImpliedVolatility], ingested_at: dt.datetime) -> pl.DataFrame:
    """Build rows of ``raw_implied_volatility``, stored at ``ingested_at`` (UTC)."""
    rows = [(v.symbol, v.date, v.volatility, v.source, ingested_at) for v in values]
    return pl.DataFrame(rows, schema=RAW_IMPLIED_VOLATILITY.schema, orient="row")


@dataclass(frozen=True, slots=True)
class StoredCandles:
    """The outcome of `store_candles`.

    Attributes:
        receipt: new candles (``inserted``), restated ones (``updated``) and those known already.
        restated: the versions that were replaced, as rows of ``superseded_klines``.
    """

    receipt: Receipt
    restated: pl.DataFrame


def store_candles(
    tables: TableStore, candles: pl.DataFrame, now: dt.datetime, series: Series = CANDLES
) -> StoredCandles:
    """Store what is new or restated in ``candles`` as known from ``now`` on; keep what is equal as it is.

    The old version of a restated candle is put aside before the new one is stored: a process that dies
    in between leaves one version in both tables, which reads the same and is put right by the next run.

    Args:
        candles: rows of ``series.newest``; their ``ingested_at`` is replaced by ``now``.
        now: the current time (time zone aware).

    Raises:
        StorageError: ``candles`` is not what the contract says.
        LedgerError: ``now`` lies before a stored version of a restated candle, so that the clock is wrong.
    """
    table, superseded = series.newest, series.superseded
    incoming = conform(table, candles.with_columns(ingested_at=_utc(now)))
    tables.ensure_table(table)
    tables.ensure_table(superseded)
    stored = _stored(tables, table, incoming)
    beside = incoming.join(stored, on=series.key, how="left", suffix="_stored", maintain_order="left")
    is_new = beside["ingested_at_stored"].is_null()
    content = [c for c in series.content if c not in table.key]
    differs = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_stored")) for c in content)
    is_restated = beside.select(differs).to_series() & ~is_new
    old = stored.join(incoming.filter(is_restated), on=series.key, how="semi", maintain_order="left")
    _refuse_time_going_back(old, now)
    restated = old.with_columns(superseded_at=_utc(now)).select(superseded.schema.names())
    if not restated.is_empty():
        tables.upsert(superseded, restated)
    changed = incoming.filter(is_new | is_restated)
    version = tables.version(table) if changed.is_empty() else tables.upsert(table, changed).version
    unchanged = incoming.height - changed.height
    return StoredCandles(Receipt(int(is_new.sum()), restated.height, unchanged, version), restated)


def newest(
    tables: TableReader, symbol: str, series: Series = CANDLES, *, end: dt.date | None = None
) -> pl.DataFrame:
    """Read the newest version of every row of ``series``; arguments and errors as of ``versions``."""
    if series.optional and not tables.exists(series.newest):
        return series.newest.empty()
    return tables.read(series.newest, end=end).filter(pl.col("symbol") == symbol)


def versions(
    tables: TableReader,
    symbol: str,
    series: Series = CANDLES,
    *,
    end: dt.date | None = None,
    now: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Read every version of every row of ``series``, in the order of its key, then of ``ingested_at``.

    The newest versions are read first. A writer puts the old version aside before it stores the new one,
    so whatever leaves the table during the two reads is found in the second.

    Args:
        series: which one; of an optional one that was never stored there are no rows.
        end: the day after the last, or after the last there is.
        now: the newest versions, where ``newest`` has read them already.

    Raises:
        TableMissing: the series is not optional and was never stored.
    """
    now = newest(tables, symbol, series, end=end) if now is None else now
    older = read_pair(tables, series.superseded, symbol, now.columns, end=end)
    return (
        pl.concat([now, older])
        .unique([*series.key, "ingested_at"], keep="first")
        .sort(*series.order, "ingested_at")
    )


def known(all_versions: pl.DataFrame, t: dt.datetime, series: Series = CANDLES) -> pl.DataFrame:
    """Choose from ``versions(...)`` the version of each row that was the newest at ``t`` (time zone aware).

    A version that was stored at ``t`` itself counts as known.
    """
    until = all_versions.filter(pl.col("ingested_at") <= _utc(t))
    return until.unique(series.key, keep="last", maintain_order=True).sort(series.order)


def _stored(tables: TableStore, spec: TableSpec, incoming: pl.DataFrame) -> pl.DataFrame:
    """Return the stored newest versions of the days that ``incoming`` spans."""
    if incoming.is_empty():
        return spec.empty()
    first, last = incoming["date"][0], incoming["date"][-1]
    return tables.read(spec, start=first, end=last + DAY)


def _refuse_time_going_back(old: pl.DataFrame, now: dt.datetime) -> None:
    """Check that no version was replaced before it was stored."""
    late = old.filter(pl.col("ingested_at") >= _utc(now))
    if not late.is_empty():
        row = late.row(0, named=True)
        raise LedgerError(
            f"the candle of {row['symbol']} {row['date']} is restated, but its stored version is of "
            f"{row['ingested_at'].isoformat()} and the clock says {now.isoformat()}: one of the two clocks "
            "was wrong. Nothing was written; correct the clock and run it again"
        )


def _utc(t: dt.datetime) -> pl.Expr:
    """Return ``t`` as a literal of the contracts' type."""
    return pl.lit(t.astimezone(dt.UTC), dtype=UTC_US)
