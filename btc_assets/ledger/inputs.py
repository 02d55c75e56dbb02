"""What forecasts were computed from: read once, used by the computation, and hashed into the record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from btc_assets.contracts import VINTAGES_IN_FORCE, TableSpec
from btc_assets.errors import LedgerError, TableMissing
from btc_assets.ledger.digest import feature_digests, series_digests
from btc_assets.ledger.records import Snapshot
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import stale_days
from btc_assets.series import CANDLES, IMPLIED, SERIES, Series
from btc_assets.storage.bitemporal import newest
from btc_assets.storage.registry.protocol import ModelRegistry, VintageId
from btc_assets.storage.tables import TableStore

WITHOUT_IMPLIED = "without the day's implied volatility"
"""The note of a record whose day had none, though days before it had."""


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of one symbol, and the table's version when they were read; -1 where there was no table."""

    rows: pl.DataFrame
    version: int


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything the forecasts of one symbol were computed from.

    Attributes:
        series: by name, the newest rows of each series up to the newest origin.
        features: all rows of the features table up to the newest origin.
        features_version: the table's version when they were read.
        vintages: rows of ``vintages_in_force`` of the origins.
        code_version: version of the code that computes.
        settings: the settings that matter to the result; plain JSON values.
    """

    series: Mapping[str, TableRows]
    features: pl.DataFrame
    features_version: int
    vintages: pl.DataFrame
    code_version: str
    settings: Mapping[str, Any]

    @property
    def symbol(self) -> str:
        """The trading pair that all of it is about."""
        return str(self.candles["symbol"][0])

    def note(self, origin: dt.date) -> str:
        """Return a remark for the record of ``origin`` if it went without a value that earlier days had."""
        days = self._implied_days
        return WITHOUT_IMPLIED if next(iter(days), origin) < origin and origin not in days else ""

    @cached_property
    def _implied_days(self) -> dict[dt.date, None]:
        """The days that have an implied volatility, in order."""
        return dict.fromkeys(self.series[IMPLIED.name].rows["date"].sort())

    @property
    def candles(self) -> pl.DataFrame:
        """The daily candles."""
        return self.series[CANDLES.name].rows


def read_inputs(
    tables: TableStore,
    features: TableSpec,
    symbol: str,
    origins: Sequence[dt.date],
    code_version: str,
    settings: Mapping[str, Any],
) -> Inputs:
    """Read what forecasts of ``origins`` (not empty) are to be computed from.

    Raises:
        TableMissing: a table was never written.
    """
    first, end = min(origins), max(origins) + DAY
    mine = pl.col("symbol") == symbol
    series = {one.name: _read(tables, one, symbol, end) for one in SERIES}
    features_version = tables.version(features)
    return Inputs(
        series,
        tables.read(features, end=end).filter(mine),
        features_version,
        tables.read(VINTAGES_IN_FORCE, start=first, end=end).filter(mine),
        code_version,
        settings,
    )


def _read(tables: TableStore, series: Series, symbol: str, end: dt.date) -> TableRows:
    """Return the newest rows of the days before ``end``; of an optional series that was never stored, none.

    The version is taken before the rows: what is read is that version or a newer one, and hashed anyway.
    """
    if series.optional and not tables.exists(series.newest):
        return TableRows(series.newest.empty(), -1)
    version = tables.version(series.newest)
    return TableRows(newest(tables, symbol, series, end=end), version)


def evidence(inputs: Inputs, origins: Sequence[dt.date]) -> dict[dt.date, dict[str, Any]]:
    """Hash the inputs: for each origin, the fields in which its record says what it was computed from."""
    read = {series: inputs.series[series.name] for series in SERIES}
    hashes = {series: series_digests(series, rows.rows, origins) for series, rows in read.items()}
    features, vintages = feature_digests(inputs.features, origins), _vintages(inputs.vintages)
    return {
        origin: {
            "inputs": {s.name: Snapshot(found[origin], read[s].version) for s, found in hashes.items()},
            "features_sha256": features[origin],
            "features_version": inputs.features_version,
            "vintages": vintages[origin],
            "code_version": inputs.code_version,
            "settings": inputs.settings,
        }
        for origin in origins
    }


def check_inputs(
    tables: TableStore, registry: ModelRegistry, rows: pl.DataFrame, inputs: Inputs, now: dt.datetime
) -> None:
    """Refuse to vouch for forecasts whose inputs are not what is stored now, or contradict them.

    Raises:
        LedgerError: names the candle, vintage or row.
    """
    origins = rows["origin_date"].unique().sort()
    _check_series(tables, inputs, origins, now)
    _check_derived(inputs, origins[-1])
    _check_vintages(rows, inputs.vintages)
    _check_registry(registry, inputs.vintages)


def _vintages(rows: pl.DataFrame) -> dict[dt.date, list[dict[str, Any]]]:
    found: dict[dt.date, list[dict[str, Any]]] = {}
    columns = ("date", "model", "vintage", "revision", "manifest_sha256")
    for date, model, vintage, revision, manifest in rows.sort("date", "model").select(columns).iter_rows():
        entry = {"model": model, "vintage": str(vintage), "revision": revision, "manifest_sha256": manifest}
        found.setdefault(date, []).append(entry)
    return found


def _check_series(tables: TableStore, inputs: Inputs, origins: pl.Series, now: dt.datetime) -> None:
    """Check that origins have candles, no row is from the future, and none was restated since it was read."""
    lacking = sorted(set(origins) - set(inputs.candles["date"]))
    if lacking:
        raise LedgerError(f"no candle of origin {lacking[0]} among the inputs; materialise its raw_klines")
    for series in SERIES:
        _check_times(series, inputs.series[series.name].rows, now)
    for series in SERIES:
        _check_unchanged(tables, series, inputs.series[series.name], inputs.symbol, origins[-1])


def _check_times(series: Series, rows: pl.DataFrame, now: dt.datetime) -> None:
    late = rows.filter(pl.col("ingested_at") > now)
    if late.is_empty():
        return
    row = late.row(0, named=True)
    at = f"{row['open_time']:%Y-%m-%d %H:%M}" if series.interval else str(row["date"])
    raise LedgerError(
        f"the {series.noun.removesuffix('s')} of {at} was stored at {row['ingested_at'].isoformat()}, after "
        f"now ({now.isoformat()}): a clock is wrong. Nothing was issued"
    )


def _check_unchanged(
    tables: TableStore, series: Series, read: TableRows, symbol: str, origin: dt.date
) -> None:
    try:
        if tables.version(series.newest) == read.version:
            return
    except TableMissing:
        return
    stored = newest(tables, symbol, series, end=origin + DAY)
    then = read.rows.filter(pl.col("date") <= origin)
    now, before = (rows.sort(series.order).select(series.content) for rows in (stored, then))
    if not now.equals(before):
        raise LedgerError(
            f"{series.title} up to {origin} changed while the forecasts were computed from them; nothing "
            "was issued, run the partition again"
        )


def _check_derived(inputs: Inputs, newest: dt.date) -> None:
    """Check that the features were derived from the series that the record will name beside them."""
    series = {name: read.rows for name, read in inputs.series.items()}
    days = [day for day in stale_days(inputs.features, series) if day <= newest]
    if days:
        raise LedgerError(
            f"the features of {days[0]} and {len(days) - 1} more days are not what the stored 4-hour candles "
            "and implied volatility give; materialise engineered_features from "
            f"{days[0]} to {days[-1]}, then the forecasts. Nothing was issued"
        )


def _check_vintages(rows: pl.DataFrame, vintages: pl.DataFrame) -> None:
    """Check that each row has the vintage in force (the ensemble: the oldest), none after the origin."""
    in_force = vintages.select(origin_date="date", model="model", in_force="vintage")
    oldest = in_force.group_by("origin_date").agg(oldest=pl.col("in_force").min())
    made = rows.group_by("origin_date", "model", "vintage").agg().join(oldest, on="origin_date", how="left")
    made = made.join(in_force, on=["origin_date", "model"], how="left").with_columns(
        expected=pl.coalesce("in_force", "oldest")
    )
    wrong = made.filter(
        pl.col("expected").is_null()
        | (pl.col("vintage") != pl.col("expected"))
        | (pl.col("vintage") > pl.col("origin_date"))
    ).sort("origin_date", "model")
    if not wrong.is_empty():
        row = wrong.row(0, named=True)
        raise LedgerError(
            f"forecasts of {row['model']} for origin {row['origin_date']} say vintage {row['vintage']}, but "
            f"{row['expected'] or 'none'} is in force and no cutoff may lie after the origin; materialise "
            "the model's partition again, then the forecasts"
        )


def _check_registry(registry: ModelRegistry, vintages: pl.DataFrame) -> None:
    distinct = vintages.select("model", "vintage", "revision", "manifest_sha256").unique(maintain_order=True)
    for model, vintage, revision, manifest in distinct.iter_rows():
        ref = registry.get(model, VintageId(vintage, revision))
        found = ref.manifest_sha256 if ref else "nothing"
        if found != manifest:
            raise LedgerError(
                f"{model} {VintageId(vintage, revision)} should have manifest {manifest}, but the registry "
                f"has {found}: the model was swapped or lost. Nothing was issued"
            )
