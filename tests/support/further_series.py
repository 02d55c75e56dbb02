"""Issue, verify and prove forecasts with one more series: ``python further_series.py STORE PROOF``.

In a process of its own: the entry must be in ``SERIES`` before the ledger is imported, as if it stood there.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import polars as pl

from btc_assets import series
from btc_assets.contracts import UTC_US, Column, TableSpec

D = dt.date(2024, 1, 12)
COLUMNS = (
    Column("symbol", pl.String, "trading pair"),
    Column("date", pl.Date, "the UTC day"),
    Column("rate", pl.Float64, "what a position costs, a day"),
    Column("source", pl.String, "where it came from"),
    Column("ingested_at", UTC_US, "when this version was stored (UTC)"),
)
FURTHER = series.Series(
    TableSpec("funding_rate", "One value a day.", ("symbol", "date"), "date", COLUMNS),
    TableSpec(
        "superseded_funding_rate",
        "Earlier versions.",
        ("symbol", "date", "ingested_at"),
        "date",
        (*COLUMNS, Column("superseded_at", UTC_US, "when the next version replaced this one (UTC)")),
    ),
    "funding rates",
    "funding",
    None,
    optional=True,
    since="9.0.0",
)
series.SERIES += (FURTHER,)


def main(folder: Path, proof: Path) -> None:
    """Continue the chain in ``folder``, which knows the project's own series, with one more."""
    from conftest import LedgerStore

    from btc_assets.ledger.proof import export_proof
    from btc_assets.ledger.verification.verify import verify
    from btc_assets.storage.bitemporal import store_candles

    store = LedgerStore(folder)

    def faults() -> list[str]:
        report = verify(store.tables, store.registry, store.symbol, features=store.features, now=now)
        return [str(fault) for fault in report.faults]

    now = store.in_time(D).now + dt.timedelta(hours=3)
    store.issue([D - dt.timedelta(days=1)])
    days = store.make(12, D - dt.timedelta(days=11))["date"]
    values = pl.DataFrame({"symbol": store.symbol, "date": days, "rate": 0.5, "source": "made"})
    values = values.with_columns(ingested_at=pl.lit(now, dtype=UTC_US))
    store_candles(store.tables, values, store.in_time(D).now - dt.timedelta(minutes=1), FURTHER)
    store.issue([D])
    *old, without, record = store.records()
    assert not any(b"funding" in one.line() for one in old), "older records keep their bytes"
    assert without.snapshot(FURTHER).version == -1, "there was no such table"
    assert b'"funding_sha256":"' in record.line()
    assert record.snapshot(FURTHER).sha256 != record.snapshot(series.CANDLES).sha256
    assert not faults(), faults()

    restated = values.with_columns(rate=pl.when(pl.col("date") == D).then(0.6).otherwise(0.5))
    store_candles(store.tables, restated, now, FURTHER)
    assert not faults(), "what was known then can still be read"
    export_proof(store.tables, store.registry, store.symbol, proof)

    stored = store.tables.read(FURTHER.newest, start=D - dt.timedelta(days=1), end=D)
    store.tables.upsert(FURTHER.newest, stored.with_columns(rate=0.7))
    assert "funding rates up to 2024-01-12 as known then are not those" in faults()[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
