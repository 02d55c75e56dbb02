"""Compute a day's forecast again from what was known then and the stored vintages, and compare the bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from btc_assets import __version__
from btc_assets.contracts import FORECASTS
from btc_assets.errors import LedgerError
from btc_assets.ledger.code_version import code_version
from btc_assets.ledger.digest import FORECAST_COLUMNS, feature_digests, forecast_digests, series_digests
from btc_assets.ledger.records import IssueRecord, read_records
from btc_assets.ledger.refit import Refit, farthest, fit_again, known_at
from btc_assets.ledger.verification.chain_checks import current
from btc_assets.ledger.verification.input_checks import columns_unknown_to
from btc_assets.market.calendar import DAY
from btc_assets.modeling.compatibility import is_of_this_code
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import forecasts
from btc_assets.modeling.inference import Predictor
from btc_assets.series import CANDLES, SERIES
from btc_assets.storage.bitemporal import versions
from btc_assets.storage.registry.manifest import read_manifest
from btc_assets.storage.registry.protocol import ModelRef, ModelRegistry
from btc_assets.storage.tables import TableStore, read_pair


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of a rebuild.

    Attributes:
        record: the origin's newest record.
        series: by name, whether the rows known then hash to what the record says; None if it does not say.
        features: whether features derived from them do; None if it does not say.
        rows: whether the forecast computed from both does.
        stored: whether the stored rows do, after the rebuild.
        restored: whether they were written again.
        farthest: largest relative difference between the computed forecast and the stored one, if both exist.
        refits: one for each vintage that was fitted again.
    """

    record: IssueRecord
    series: Mapping[str, bool | None]
    features: bool | None
    rows: bool
    stored: bool
    restored: bool
    farthest: float | None
    refits: Sequence[Refit]

    @property
    def ok(self) -> bool:
        """Whether what is computed and what is stored both are what was issued."""
        return self.rows and self.stored

    def lines(self) -> Iterator[str]:
        """Say what was found, in words."""
        said = {True: "as recorded", False: "NOT as recorded", None: "not in the record"}
        yield f"{self.record.in_words()}, issued {self.record.issued_at:%Y-%m-%d %H:%M:%S} UTC"
        ours = code_version()
        yield f"code: {self.record.code_version}" + (
            "" if ours == self.record.code_version else f", here {ours}"
        )
        for series in SERIES:
            yield f"{series.title} known then: {said[self.series[series.name]]}"
        yield f"features derived from them: {said[self.features]}"
        yield f"forecast computed again: {said[self.rows]}" + ("" if self.rows else self._distance())
        yield f"stored forecast: {said[self.stored]}" + (", restored just now" if self.restored else "")
        yield from map(str, self.refits)

    def _distance(self) -> str:
        return "" if self.farthest is None else f"; up to {self.farthest:.2e} (relative) from the stored one"


def rebuild(
    tables: TableStore,
    registry: ModelRegistry,
    symbol: str,
    origin: dt.date,
    *,
    check: bool = False,
    refit: bool = False,
) -> Rebuilt:
    """Compute the forecast of ``origin`` again from its record; put lost or altered rows back.

    Args:
        check: compare only, write nothing.
        refit: fit the vintages again as well (minutes; needs the training libraries).

    Raises:
        LedgerError: the origin has no record, or its record names no vintage.
        BadModel: a vintage is not what was recorded.
    """
    record = _newest_record(tables, symbol, origin)
    refs = [ModelRef(*model) for model in record.models()]
    everything = {series.name: versions(tables, symbol, series, end=origin + DAY) for series in SERIES}
    seen = known_at(everything, record.issued_at)
    candles, features = seen[CANDLES.name], engineer(seen)
    derived = feature_digests(features, [origin], columns_unknown_to(record))
    predictors = {ref.name: _opened(registry, ref, record) for ref in refs}
    rows = forecasts([origin], candles, features, lambda kind, _: predictors[kind])
    rows = rows.select(FORECAST_COLUMNS)
    stored = read_pair(tables, FORECASTS, symbol, start=origin, end=origin + DAY)
    rows_agree = forecast_digests(rows)[origin] == record.rows_sha256
    intact = _intact(stored, record)
    restored = rows_agree and not intact and not check
    if restored:
        _restore(tables, rows, stored, record)
    return Rebuilt(
        record=record,
        series={
            one.name: _agrees(
                series_digests(one, seen[one.name], [origin])[origin], record.snapshot(one).sha256
            )
            for one in SERIES
        },
        features=_agrees(derived[origin], record.features_sha256),
        rows=rows_agree,
        stored=intact or restored,
        restored=restored,
        farthest=farthest(rows, stored),
        refits=[fit_again(registry, ref, everything, record, rows) for ref in refs] if refit else [],
    )


def _newest_record(tables: TableStore, symbol: str, origin: dt.date) -> IssueRecord:
    record = current(read_records(tables, symbol)).get(origin)
    if record is None:
        raise LedgerError(
            f"no forecast of {symbol} was issued for origin {origin}: there is nothing to rebuild"
        )
    if not record.vintages:
        raise LedgerError(
            f"{record.in_words()} is of a forecast older than the chain, made by a vintage it does not know"
        )
    return record


def _opened(registry: ModelRegistry, ref: ModelRef, record: IssueRecord) -> Predictor:
    """Return the vintage; one that another release's code made only that release can open."""
    folder = registry.model_folder(ref)
    manifest = read_manifest(folder, ref.manifest_sha256)
    if not is_of_this_code(manifest):
        raise LedgerError(
            f"{record.in_words()} was computed by {ref.name} {ref.vintage} of release "
            f"{manifest.get('package')}, which can rebuild it; {__version__} cannot. `btc verify` compares "
            "what is stored with the record"
        )
    return Predictor.open(folder, ref.manifest_sha256)


def _agrees(found: str, said: str) -> bool | None:
    return found == said if said else None


def _intact(stored: pl.DataFrame, record: IssueRecord) -> bool:
    """Return whether the stored rows and their time are what was issued."""
    if stored.is_empty() or set(stored["issued_at"]) != {record.issued_at}:
        return False
    return forecast_digests(stored)[record.origin_date] == record.rows_sha256


def _restore(tables: TableStore, rows: pl.DataFrame, stored: pl.DataFrame, record: IssueRecord) -> None:
    stamp = pl.lit(record.issued_at, dtype=FORECASTS.schema["issued_at"])
    surplus = stored.select(FORECASTS.key).join(rows, on=list(FORECASTS.key), how="anti")
    tables.upsert(FORECASTS, rows.with_columns(issued_at=stamp).select(FORECASTS.schema.names()))
    if not surplus.is_empty():
        tables.delete_keys(FORECASTS, surplus)
