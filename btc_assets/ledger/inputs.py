"""What forecasts were computed from: read once, used by the computation, and hashed into the record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from btc_assets.contracts import RAW_KLINES, RAW_KLINES_4H, VINTAGES_IN_FORCE, TableSpec
from btc_assets.errors import LedgerError
from btc_assets.ledger.digest import CANDLE_COLUMNS, bar_digests, candle_digests, feature_digests
from btc_assets.market.calendar import DAY
from btc_assets.modeling.features import stale_days
from btc_assets.storage.registry.protocol import ModelRegistry, VintageId
from btc_assets.storage.tables import TableStore


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything the forecasts of one symbol were computed from.

    Attributes:
        candles: all rows of ``raw_klines`` up to the newest origin.
        candles_version: the table's version when they were read.
        bars: all rows of ``raw_klines_4h`` up to the newest origin; none where the table is not there.
        bars_version: as above; -1 where it is not.
        features: all rows of the features table up to the newest origin.
        features_version: as above.
        vintages: rows of ``vintages_in_force`` of the origins.
        code_version: version of the code that computes.
        settings: the settings that matter to the result; plain JSON values.
    """

    candles: pl.DataFrame
    candles_version: int
    bars: pl.DataFrame
    bars_version: int
    features: pl.DataFrame
    features_version: int
    vintages: pl.DataFrame
    code_version: str
    settings: Mapping[str, Any]


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
    # A version is taken before its rows: what is read is that version or a newer one, and hashed anyway.
    candles_version, features_version = tables.version(RAW_KLINES), tables.version(features)
    bars_version = tables.version(RAW_KLINES_4H) if tables.exists(RAW_KLINES_4H) else -1
    return Inputs(
        tables.read(RAW_KLINES, end=end).filter(mine),
        candles_version,
        _bars(tables, symbol, end),
        bars_version,
        tables.read(features, end=end).filter(mine),
        features_version,
        tables.read(VINTAGES_IN_FORCE, start=first, end=end).filter(mine),
        code_version,
        settings,
    )


def _bars(tables: TableStore, symbol: str, end: dt.date) -> pl.DataFrame:
    """The stored 4-hour candles of the days before ``end``."""
    if not tables.exists(RAW_KLINES_4H):
        return RAW_KLINES_4H.empty()
    return tables.read(RAW_KLINES_4H, end=end).filter(pl.col("symbol") == symbol)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Per origin, what a record says about the inputs."""

    candles: Mapping[dt.date, str]
    bars: Mapping[dt.date, str]
    features: Mapping[dt.date, str]
    vintages: Mapping[dt.date, list[dict[str, Any]]]


def evidence(inputs: Inputs, origins: Sequence[dt.date]) -> Evidence:
    """Hash the inputs for each origin."""
    return Evidence(
        candle_digests(inputs.candles, origins),
        bar_digests(inputs.bars, origins),
        feature_digests(inputs.features, origins, with_bars=True),
        _vintages(inputs.vintages),
    )


def check_inputs(
    tables: TableStore, registry: ModelRegistry, rows: pl.DataFrame, inputs: Inputs, now: dt.datetime
) -> None:
    """Refuse to vouch for forecasts whose inputs are not what is stored now, or contradict them.

    Raises:
        LedgerError: names the candle, vintage or row.
    """
    origins = rows["origin_date"].unique().sort()
    _check_candles(tables, inputs, origins, now)
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


def _check_candles(tables: TableStore, inputs: Inputs, origins: pl.Series, now: dt.datetime) -> None:
    """Every origin has its candle, none is from the future, and none was restated since it was read."""
    lacking = sorted(set(origins) - set(inputs.candles["date"]))
    if lacking:
        raise LedgerError(f"no candle of origin {lacking[0]} among the inputs; materialise its raw_klines")
    for rows in (inputs.candles, inputs.bars):
        late = rows.filter(pl.col("ingested_at") > now)
        if not late.is_empty():
            row = late.row(0, named=True)
            raise LedgerError(
                f"the candle of {row['open_time']:%Y-%m-%d %H:%M} was stored at "
                f"{row['ingested_at'].isoformat()}, after now ({now.isoformat()}): a clock is wrong. Nothing "
                "was issued"
            )
    symbol, end = inputs.candles["symbol"][0], origins[-1] + DAY
    for spec, read, version in (
        (RAW_KLINES, inputs.candles, inputs.candles_version),
        (RAW_KLINES_4H, inputs.bars, inputs.bars_version),
    ):
        if not tables.exists(spec) or tables.version(spec) == version:
            continue
        stored = tables.read(spec, end=end).filter(pl.col("symbol") == symbol)
        then = read.filter(pl.col("date") < end)
        if not _content(stored).equals(_content(then)):
            raise LedgerError(
                f"candles up to {origins[-1]} changed while the forecasts were computed from them; nothing "
                "was issued, run the partition again"
            )


def _content(candles: pl.DataFrame) -> pl.DataFrame:
    return candles.sort("open_time").select(CANDLE_COLUMNS)


def _check_derived(inputs: Inputs, newest: dt.date) -> None:
    """The features were derived from the 4-hour candles that the record will name beside them."""
    days = [day for day in stale_days(inputs.features, inputs.candles, inputs.bars) if day <= newest]
    if days:
        raise LedgerError(
            f"the features of {days[0]} and {len(days) - 1} more days are not what the stored 4-hour candles "
            f"give; materialise engineered_features from {days[0]} to {days[-1]}, then the forecasts. "
            "Nothing was issued"
        )


def _check_vintages(rows: pl.DataFrame, vintages: pl.DataFrame) -> None:
    """Each row's vintage is the one in force (the ensemble's: the oldest) and not after the origin."""
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
