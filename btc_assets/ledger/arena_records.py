"""The arena's chain: who said what from an origin, from which candles; beside the chain of our own forecasts.

A record's bytes are one line of canonical JSON, its hash the SHA-256 of that, and the next line holds it, as
in ``records``. Several records of an origin may stand: of forecasters that came later, or of new versions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from btc_assets.contracts import ARENA_FORECASTS, Column, TableSpec
from btc_assets.ledger.digest import hash_rows
from btc_assets.ledger.records import (
    CLOCKS,
    LINK,
    NOTHING,
    PLACE,
    UNKNOWN,
    Head,
    Snapshot,
    json_text,
    json_value,
)
from btc_assets.series import Series
from btc_assets.storage.registry.manifest import canonical_json
from btc_assets.storage.tables import TableReader

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


@dataclass(frozen=True, slots=True)
class ArenaRecord:
    """One record; the fields are the columns of ``ARENA_RECORDS``, JSON decoded."""

    symbol: str
    began: dt.date
    seq: int
    kind: str
    origin_date: dt.date
    issued_at: dt.datetime
    local_clock: dt.datetime
    source_clock: dt.datetime
    live_hours: int
    entrants: Sequence[Mapping[str, str]]
    inputs: Mapping[str, str]
    note: str = ""
    previous_sha256: str = NOTHING

    def line(self) -> bytes:
        """Write the bytes that are hashed: one line of canonical JSON."""
        return canonical_json({name: json_value(value) for name, value in asdict(self).items()})

    def sha256(self) -> str:
        """Compute the record's own hash (SHA-256)."""
        return hashlib.sha256(self.line()).hexdigest()

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
    if not tables.exists(ARENA_RECORDS):
        return []
    rows = tables.read(ARENA_RECORDS).filter(symbol=symbol).sort("seq")
    return [_from_row(row) for row in rows.iter_rows(named=True)]


def arena_records_frame(records: Iterable[ArenaRecord]) -> pl.DataFrame:
    """Build rows of ``arena_records``, each with its hash."""
    rows = [
        asdict(r)
        | {
            "entrants": json_text(list(r.entrants)),
            "inputs": json_text(dict(r.inputs)),
            "record_sha256": r.sha256(),
        }
        for r in records
    ]
    return pl.DataFrame(rows, schema=ARENA_RECORDS.schema)


def _from_row(row: dict[str, Any]) -> tuple[ArenaRecord, str]:
    """Return a stored row; JSON of another shape becomes empty, so that its hash shows the damage."""
    sha = row.pop("record_sha256")
    for name, kind in (("entrants", list), ("inputs", dict)):
        try:
            value = json.loads(row[name])
        except ValueError:
            value = None
        row[name] = value if isinstance(value, kind) else kind()
    return ArenaRecord(**row), sha
