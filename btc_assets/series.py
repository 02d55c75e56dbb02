"""The series of market data that forecasts are computed from: what tells them apart, in one tuple.

The ledger reads, records, hashes, exports and verifies every series of ``SERIES`` alike. A further one is an
entry here, its two tables in ``contracts``, and an asset that fills them with ``bitemporal.store_candles``.
"""

from __future__ import annotations

from dataclasses import dataclass

from btc_assets.contracts import (
    RAW_IMPLIED_VOLATILITY,
    RAW_KLINES,
    RAW_KLINES_4H,
    SUPERSEDED_IMPLIED_VOLATILITY,
    SUPERSEDED_KLINES,
    SUPERSEDED_KLINES_4H,
    TableSpec,
)

FIRST_RELEASE = "0.1.0"
"""The release that wrote the first records; what it knew is in every record."""

PROVENANCE = ("source", "ingested_at")
"""The columns of a series' table that say who brought a row and when, which no hash covers."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of market data, kept in versions.

    Its rows up to an origin are hashed as ``newest.name``, a line of the columns in ``content``, then these
    columns of each row in the order of the key; its columns are texts, dates, instants, integers and floats.

    Attributes:
        newest: the table of each row's newest version: key ``symbol``, ``date`` (the UTC day) and whatever
            tells the rows of a day apart; columns ``source`` and ``ingested_at`` at its end.
        superseded: the table of the earlier versions: a column ``superseded_at`` more.
        title: what it is called in prose.
        record_key: a record's fields are ``<record_key>_sha256`` and ``<record_key>_version``.
        interval: how long a candle is, as Binance names it; None: these are no candles.
        optional: whether a day, or a whole store, may be without.
        since: the release whose records are the first to know it; older ones go without its fields.
    """

    newest: TableSpec
    superseded: TableSpec
    title: str
    record_key: str
    interval: str | None
    optional: bool
    since: str

    @property
    def name(self) -> str:
        """The name of the newest table, under which the series goes."""
        return self.newest.name

    @property
    def key(self) -> list[str]:
        """What identifies a row, whatever its version."""
        return list(self.newest.key)

    @property
    def order(self) -> list[str]:
        """How the rows of one symbol are sorted: by date, then by the rest of the key."""
        return ["date", *(column for column in self.newest.key if column not in ("symbol", "date"))]

    @property
    def content(self) -> list[str]:
        """The columns that make two versions of a row different, and that are hashed."""
        return [column for column in self.newest.schema.names() if column not in PROVENANCE]

    @property
    def noun(self) -> str:
        """What its rows are, in one word."""
        return "candles" if self.interval else self.name

    @property
    def fields(self) -> tuple[str, str]:
        """The names of a record's two fields: hash and table version."""
        return f"{self.record_key}_sha256", f"{self.record_key}_version"


CANDLES = Series(
    RAW_KLINES, SUPERSEDED_KLINES, "candles", "candles", "1d", optional=False, since=FIRST_RELEASE
)
BARS = Series(
    RAW_KLINES_4H, SUPERSEDED_KLINES_4H, "4-hour candles", "bars", "4h", optional=True, since="0.2.0"
)
IMPLIED = Series(
    RAW_IMPLIED_VOLATILITY,
    SUPERSEDED_IMPLIED_VOLATILITY,
    "values of implied volatility",
    "implied",
    None,
    optional=True,
    since="0.3.0",
)

SERIES: tuple[Series, ...] = (CANDLES, BARS, IMPLIED)
"""All series, the daily candles first."""
