"""The arena's chain: who said what from an origin, from which candles; beside the chain of our own forecasts.

A record's bytes are one line of canonical JSON, its hash the SHA-256 of that, and the next line holds it, as
in ``records``. Several records of an origin may stand: of forecasters that came later, or of new versions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS, Column, TableSpec
from btc_assets.ledger.digest import hash_rows
from btc_assets.ledger.records import CLOCKS, LINK, PLACE, UNKNOWN, ChainRecord, Head, Snapshot, unpack
from btc_assets.series import Series
from btc_assets.storage.tables import TableReader, read_pair

ARENA_RECORDS = TableSpec(
    "arena_records",
    "The chain of what the forecasters that compete said: whose rows, of which version, from which candles.",
    key=("symbol", "seq"),
    day="began",
    irreplaceable=True,
    columns=(
        *PLACE,
        Column("kind", pl.String, "live (issued within live_hours after the close), late or back-filled"),
        Column("origin_date", pl.Date, "origin of the forecasts"),
        *CLOCKS,
        Column("live_hours", pl.Int64, "within how many hours after the close it is live"),
        Column("entrants", pl.String, "JSON: model, version and hash of the rows of each forecaster"),
        Column("inputs", pl.String, "JSON: by series, the hash of all its rows up to the origin"),
        *LINK,
    ),
)

Key = tuple[dt.date, str, str]
"""Origin, model and version."""

HASHED = [name for name in ARENA_FORECASTS.schema.names() if name != "issued_at"]
"""What the hash of a forecast covers; the record itself says when it was issued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaRecord(ChainRecord):
    """One record; the fields are the columns of ``ARENA_RECORDS``, JSON decoded."""

    live_hours: int
    entrants: Sequence[Mapping[str, str]]
    inputs: Mapping[str, str]

    def snapshot(self, series: Series) -> Snapshot:
        """Return what the record says of ``series``."""
        found = self.inputs.get(series.name)
        return Snapshot(found) if found else UNKNOWN

    def forecasts(self) -> dict[Key, str]:
        """Return the hash of each forecast that it vouches for; entries that cannot be read are left out."""
        return {
            (self.origin_date, entry["model"], entry["version"]): entry["rows_sha256"]
            for entry in self.entrants
            if isinstance(entry, Mapping) and {"model", "version", "rows_sha256"} <= entry.keys()
        }

    def head(self) -> Head:
        """Return what is published of it: under a name of its own, so that the chains never mix."""
        return Head(published_name(self.symbol), self.seq, self.sha256(), self.issued_at)


def published_name(symbol: str) -> str:
    """Return the name under which heads of the arena's chain of ``symbol`` are published."""
    return f"{symbol}-arena"


def arena_digests(rows: pl.DataFrame) -> dict[Key, str]:
    """Hash (SHA-256) the rows of each origin, model and version, ordered by horizon."""
    parts = rows.select(HASHED).sort("horizon").partition_by("origin_date", "model", "version", as_dict=True)
    return {
        (origin, model, version): hash_rows(ARENA_FORECASTS.name, part)
        for (origin, model, version), part in parts.items()
    }


def read_arena_records(tables: TableReader, symbol: str) -> list[tuple[ArenaRecord, str]]:
    """Read the records of ``symbol`` by ``seq``, with the hash stored beside each; empty without a chain."""
    rows = read_pair(tables, ARENA_RECORDS, symbol).sort("seq")
    found = []
    for row in rows.iter_rows(named=True):
        sha = unpack(row, {"entrants": list, "inputs": dict})
        found.append((ArenaRecord(**row), sha))
    return found
