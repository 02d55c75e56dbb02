"""The tables of a store without the times at which they were written."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.factory import all_tables, open_tables
from btc_assets.ledger.records import ISSUE_RECORDS
from btc_assets.settings import Settings


def tables_of(settings: Settings) -> dict[str, pl.DataFrame]:
    """Every table without when it was written; records without what follows from their place and time."""
    tables = open_tables(settings)
    return {
        spec.name: timeless(spec, tables.read(spec)) for spec in all_tables().values() if tables.exists(spec)
    }


def timeless(spec: TableSpec, rows: pl.DataFrame) -> pl.DataFrame:
    when = ("ingested_at", "superseded_at", "issued_at", "live")
    if spec is ISSUE_RECORDS:
        return (
            rows.filter(pl.col("kind") != "genesis")
            .select("origin_date", "rows", "rows_sha256", "vintages")
            .sort("origin_date")
        )
    return rows.drop(when, strict=False).sort([column for column in spec.key if column not in when])


def require_equal(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> None:
    assert {name: rows.height for name, rows in found.items()} == {
        name: r.height for name, r in wanted.items()
    }
    different = [name for name, rows in wanted.items() if not found[name].equals(rows)]
    assert different == []
