"""Issue records and their chain: each says what was issued from what, and names the one before by its hash.

A record's bytes are one line of canonical JSON (keys sorted, no spaces, UTF-8, a newline at the end); its
hash is the SHA-256 of that line, and the next line holds it as ``previous_sha256``. docs/ledger.md has more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal

import polars as pl

from btc_assets.contracts import UTC_US, Column, TableSpec
from btc_assets.market.issue_timing import LIVE_HOURS
from btc_assets.series import FIRST_RELEASE, SERIES, Series
from btc_assets.storage.registry.manifest import canonical_json
from btc_assets.storage.registry.protocol import VintageId
from btc_assets.storage.tables import TableReader, read_pair

Kind = Literal["genesis", "live", "late", "back-filled"]
IN_TIME = ("live", "late")
"""Kinds of what was issued before its first target closed: such forecasts stay."""
NOTHING = "0" * 64
"""The previous hash of the first record."""


def _series_columns(series: Series) -> tuple[Column, Column]:
    sha256, version = series.fields
    unknown = " as they were then" if series.since == FIRST_RELEASE else f"; empty before {series.since}"
    return (
        Column(sha256, pl.String, f"hash of all {series.title} up to the origin{unknown}"),
        Column(version, pl.Int64, f"version of {series.name} that was read" + ", or -1" * series.optional),
    )


PLACE = (
    Column("symbol", pl.String, "trading pair; each has its own chain"),
    Column("began", pl.Date, "the day the chain began, the same in all its records"),
    Column("seq", pl.Int64, "place in the chain, from 0"),
)
CLOCKS = (
    Column("issued_at", UTC_US, "the later of the two clocks (UTC)"),
    Column("local_clock", UTC_US, "what this machine's clock said (UTC)"),
    Column("source_clock", UTC_US, "what the source's server said (UTC)"),
)
LINK = (
    Column("note", pl.String, "anything a reader should know, in words"),
    Column("previous_sha256", pl.String, "hash of the record before"),
    Column("record_sha256", pl.String, "hash of this record"),
)
"""Columns that every chain of records has: where a record stands, when it was issued, what it follows."""

ISSUE_RECORDS = TableSpec(
    "issue_records",
    "The chain of issue records: what was forecast when, from which candles, features and models.",
    key=("symbol", "seq"),
    day="began",
    irreplaceable=True,
    columns=(
        *PLACE,
        Column(
            "kind", pl.String, "genesis, live (issued within live_hours after the close), late or back-filled"
        ),
        Column("origin_date", pl.Date, "origin of the forecast; of a genesis record the day it was made"),
        *CLOCKS,
        Column("rows", pl.Int64, "rows of the forecast"),
        Column("rows_sha256", pl.String, "hash of its rows"),
        *_series_columns(SERIES[0]),
        Column("features_sha256", pl.String, "hash of all features up to the origin as they were then"),
        Column("features_version", pl.Int64, "version of the features table that was read"),
        Column("vintages", pl.String, "JSON: model, cutoff, revision and manifest hash of each vintage"),
        Column("code_version", pl.String, "version of the code that computed it"),
        Column("settings", pl.String, "JSON: the settings that matter to the result"),
        Column("supersedes", pl.Int64, "seq of the record of this origin that this one replaces, or -1"),
        *LINK,
        *(column for series in SERIES[1:] for column in _series_columns(series)),
    ),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a record says of a table that was read: its rows up to the origin as a hash, and its version."""

    sha256: str = ""
    version: int = -1


UNKNOWN = Snapshot()
"""Of a series that the record does not know: the forecast is older than the chain, or than the series."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a chain: what is published outside the store."""

    symbol: str
    seq: int
    record_sha256: str
    issued_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRecord:
    """What a record of any chain says: where it stands, when it was issued, and what it follows."""

    symbol: str
    began: dt.date
    seq: int
    kind: Kind
    origin_date: dt.date
    issued_at: dt.datetime
    local_clock: dt.datetime
    source_clock: dt.datetime
    note: str = ""
    previous_sha256: str = NOTHING

    def line(self) -> bytes:
        """Write the bytes that are hashed: one line of canonical JSON."""
        return canonical_json({name: json_value(value) for name, value in self.columns().items()})

    def columns(self) -> dict[str, Any]:
        """Return the record's fields by the names that the table and the hashed line have for them."""
        return asdict(self)

    def sha256(self) -> str:
        """Compute the record's own hash (SHA-256)."""
        return hashlib.sha256(self.line()).hexdigest()

    def head(self) -> Head:
        """Return what is published of it."""
        return Head(self.symbol, self.seq, self.sha256(), self.issued_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRecord(ChainRecord):
    """One record; the fields are the columns of ``ISSUE_RECORDS``, JSON decoded.

    ``inputs`` holds the columns of each series, by its name: those that the record knows. Inputs that are
    unknown (of rows older than the chain) are empty texts and versions of -1. A series that a later release
    added is left out of the hashed line where it is unknown, so that older records keep their hash.
    """

    rows: int = 0
    rows_sha256: str = ""
    inputs: Mapping[str, Snapshot] = field(default_factory=dict)
    features_sha256: str = ""
    features_version: int = -1
    vintages: Sequence[Mapping[str, Any]] = ()
    code_version: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    supersedes: int = -1

    def snapshot(self, series: Series) -> Snapshot:
        """Return what the record says of ``series``."""
        return self.inputs.get(series.name, UNKNOWN)

    def line(self) -> bytes:
        """Write the bytes that are hashed: one line of canonical JSON."""
        known = [s for s in SERIES if s.since == FIRST_RELEASE or self.snapshot(s) != UNKNOWN]
        return canonical_json({name: json_value(value) for name, value in self.columns(known).items()})

    def columns(self, series: Iterable[Series] = SERIES) -> dict[str, Any]:
        """Return the record's fields by the names that the table and the hashed line have for them."""
        own = {name: getattr(self, name) for name in _OWN}
        for one in series:
            sha256, version = one.fields
            said = self.snapshot(one)
            own[sha256], own[version] = said.sha256, said.version
        return own

    def models(self) -> Iterator[tuple[str, VintageId, str]]:
        """List name, vintage and manifest hash of each model; entries that cannot be read are left out."""
        for entry in self.vintages:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                vintage = VintageId(dt.date.fromisoformat(entry["vintage"]), int(entry["revision"]))
                yield str(entry["model"]), vintage, str(entry["manifest_sha256"])

    def in_words(self) -> str:
        """Name this record for a person."""
        return f"record {self.seq} ({self.kind}, origin {self.origin_date})"


_OWN = tuple(f.name for f in fields(IssueRecord) if f.name != "inputs")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a later run needs to know about an origin's newest record."""

    seq: int
    kind: Kind
    rows_sha256: str
    issued_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's newest record, and the newest record of each origin."""

    began: dt.date
    head: Head
    newest: Mapping[dt.date, Entry]


def read_chain(tables: TableReader, symbol: str, origins: Collection[dt.date] | None = None) -> Chain | None:
    """Read what continuing the chain needs, or None if there is none. This trusts what it reads.

    Args:
        origins: whose newest records are wanted; None: of all.
    """
    entry = ["origin_date", "seq", "kind", "rows_sha256", "issued_at"]
    rows = read_pair(tables, ISSUE_RECORDS, symbol, ["began", *entry, "record_sha256"]).sort("seq")
    if rows.is_empty():
        return None
    wanted = rows.filter(pl.col("kind") != "genesis")
    if origins is not None:
        wanted = wanted.filter(pl.col("origin_date").is_in(list(origins)))
    newest = {origin: Entry(*rest) for origin, *rest in wanted.select(entry).iter_rows()}
    last = rows.row(-1, named=True)
    head = Head(symbol, last["seq"], last["record_sha256"], last["issued_at"])
    return Chain(last["began"], head, newest)


def extended(chain: Chain | None, records: Sequence[IssueRecord]) -> Chain:
    """Return ``chain`` with ``records`` at its end (None: they begin it)."""
    if not records:
        assert chain is not None
        return chain
    newest = dict(chain.newest) if chain else {}
    for record in records:
        if record.kind != "genesis":
            newest[record.origin_date] = Entry(record.seq, record.kind, record.rows_sha256, record.issued_at)
    last = records[-1]
    return Chain(last.began, last.head(), newest)


def live_hours_of(settings: Mapping[str, Any]) -> int:
    """Return within how many hours after the close a record with these settings counts as live."""
    hours = settings.get("live_hours", LIVE_HOURS)
    return hours if type(hours) is int else LIVE_HOURS


def live_hours(tables: TableReader, symbol: str) -> dict[dt.date, int]:
    """Return, by origin that has a record, within how many hours after the close it counts as live."""
    rows = read_pair(tables, ISSUE_RECORDS, symbol, ["seq", "kind", "origin_date", "settings"])
    mine = rows.filter(pl.col("kind") != "genesis").sort("seq")
    hours = {text: live_hours_of(_object(text)) for text in mine["settings"].unique()}
    return {origin: hours[text] for origin, text in mine.select("origin_date", "settings").iter_rows()}


def issue_times(tables: TableReader, symbol: str) -> list[dt.datetime]:
    """Return when each record of ``symbol`` was issued (UTC)."""
    return read_pair(tables, ISSUE_RECORDS, symbol, ["issued_at"])["issued_at"].to_list()


def _object(text: str) -> Mapping[str, Any]:
    """Return the JSON object in ``text``; nothing where it is none, which ``verify`` says."""
    value = _decoded(text)
    return value if isinstance(value, dict) else {}


def head(tables: TableReader, symbol: str) -> Head | None:
    """Read the newest record's place, hash and time; None if no chain was begun."""
    chain = read_chain(tables, symbol)
    return chain.head if chain else None


def record_hashes(tables: TableReader, symbol: str, records: TableSpec = ISSUE_RECORDS) -> dict[int, str]:
    """Return the stored hash of each record of ``symbol`` by its place; empty where nothing was issued."""
    return dict(read_pair(tables, records, symbol, ["seq", "record_sha256"]).iter_rows())


def read_records(
    tables: TableReader, symbol: str, newest: int | None = None
) -> list[tuple[IssueRecord, str]]:
    """Read the records of ``symbol`` by ``seq``, and the hash beside each; all or the ``newest``."""
    rows = read_pair(tables, ISSUE_RECORDS, symbol).sort("seq")
    rows = rows if newest is None else rows.tail(newest)
    return [_from_row(row) for row in rows.iter_rows(named=True)]


def records_frame(records: Iterable[ChainRecord], spec: TableSpec = ISSUE_RECORDS) -> pl.DataFrame:
    """Build rows of ``spec``, the table of a chain, each with its hash."""
    rows = [
        {
            name: json_text(json_value(v)) if isinstance(v, Mapping | list | tuple) else v
            for name, v in r.columns().items()
        }
        | {"record_sha256": r.sha256()}
        for r in records
    ]
    return pl.DataFrame(rows, schema=spec.schema)


def unpack(row: dict[str, Any], shapes: Mapping[str, type]) -> str:
    """Decode the JSON columns of a stored row, in place, and take out and return its hash.

    JSON of another shape is kept as text, so that its hash shows the damage.
    """
    for name, shape in shapes.items():
        value = _decoded(row[name])
        row[name] = value if isinstance(value, shape) else {"unreadable": row[name]}
    return str(row.pop("record_sha256"))


def _from_row(row: dict[str, Any]) -> tuple[IssueRecord, str]:
    sha = unpack(row, {"vintages": list, "settings": dict})
    inputs = {}
    for series in SERIES:
        found, version = (row.pop(name) for name in series.fields)
        inputs[series.name] = Snapshot(found or "", -1 if version is None else version)
    return IssueRecord(**row, inputs=inputs), sha


@lru_cache(maxsize=1000)
def _decoded(text: str) -> object:
    """Return what ``text`` says; None if it is not the one form of that, which all readers read alike."""
    try:
        value = json.loads(text)
        return value if json_text(value) == text else None
    except (ValueError, TypeError, RecursionError):
        return None


def json_text(value: object) -> str:
    """Write ``value`` as a record's column holds it: one line of canonical JSON."""
    return canonical_json(value).decode().rstrip("\n")


def json_value(value: object) -> object:
    """Return ``value`` as JSON says it: instants with microseconds and a Z, days as YYYY-MM-DD."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) else value
