"""Compare what the records vouch for with what is stored: rows of forecasts, and models."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from btc_assets.contracts import FORECASTS
from btc_assets.errors import ModelError, StorageError
from btc_assets.ledger.digest import FORECAST_COLUMNS, forecast_digests
from btc_assets.ledger.possible import impossible
from btc_assets.ledger.records import IssueRecord
from btc_assets.ledger.verification.report import Fault
from btc_assets.market.calendar import DAY
from btc_assets.storage.registry.manifest import read_manifest
from btc_assets.storage.registry.protocol import ModelRegistry, VintageId
from btc_assets.storage.tables import TableReader
from btc_assets.vocabulary import ENSEMBLE

Current = Mapping[dt.date, IssueRecord]
CHUNK = 366 * DAY
"""Forecasts are hashed a year at a time, so that memory does not grow with history."""


def check_rows(
    tables: TableReader,
    symbol: str,
    current: Current,
    start: dt.date | None,
    end: dt.date | None,
    *,
    whole: bool = True,
) -> Iterator[Fault | int]:
    """Hash the forecasts of origins in [start, end) again; yields faults and counts of rows.

    ``whole``: whether ``current`` should have all of them, so that rows without a record are a fault.
    """
    origins = set(current)
    if whole and tables.exists(FORECASTS):
        origins |= set(tables.read(FORECASTS, ["origin_date"], start=start, end=end)["origin_date"].unique())
    while origins:
        first = min(origins)
        rows = tables.read(FORECASTS, start=first, end=first + CHUNK).filter(pl.col("symbol") == symbol)
        rows = rows.filter(pl.col("origin_date").is_in(list(origins)))
        yield rows.height
        inside = {origin for origin in origins if origin < first + CHUNK}
        yield from _check_chunk(rows, {o: current[o] for o in inside & current.keys()})
        origins -= inside


def _check_chunk(rows: pl.DataFrame, current: Current) -> Iterator[Fault]:
    digests = forecast_digests(rows.select(FORECAST_COLUMNS)) if rows.height else {}
    facts = rows.group_by("origin_date").agg(
        pl.len(), first=pl.col("issued_at").min(), last=pl.col("issued_at").max()
    )
    found = {origin: rest for origin, *rest in facts.iter_rows()}
    yield from _check_vintages(rows, current)
    for row in impossible(rows).sort("origin_date", "model", "horizon").head(1).iter_rows(named=True):
        message = (
            f"the row of {row['model']} +{row['horizon']} for {row['target_date']} can be no forecast: "
            "prices are finite, positive and do not decrease over the levels; target = origin + horizon"
        )
        record = current.get(row["origin_date"])
        yield Fault(record.seq if record else None, row["origin_date"], "rows", message)
    for origin in sorted(found.keys() | current.keys()):
        record = current.get(origin)
        if record is None:
            yield Fault(
                None,
                origin,
                "rows",
                "forecasts without a record: added by hand, or the chain was rolled back",
            )
        elif origin not in found:
            yield Fault(
                record.seq,
                origin,
                "rows",
                f"its {record.rows} rows are gone; `btc rebuild {origin}` restores them",
            )
        else:
            yield from _check_origin(record, digests[origin], *found[origin])


def _check_vintages(rows: pl.DataFrame, current: Current) -> Iterator[Fault]:
    """Rows name the vintages of their record, the ensemble the oldest of them."""
    made = rows.group_by("origin_date").agg(pl.struct("model", "vintage").unique())
    for origin, pairs in made.sort("origin_date").iter_rows():
        record = current.get(origin)
        cutoffs = {model: vintage.cutoff for model, vintage, _ in record.models()} if record else {}
        due = cutoffs | {ENSEMBLE: min(cutoffs.values(), default=None)}
        wrong = [pair for pair in pairs if pair["vintage"] != due.get(pair["model"])]
        if record and cutoffs and wrong:
            message = (
                f"stored rows of {wrong[0]['model']} say vintage {wrong[0]['vintage']}, the record does not"
            )
            yield Fault(record.seq, origin, "rows", message)


def _check_origin(
    record: IssueRecord, digest: str, count: int, first: dt.datetime, last: dt.datetime
) -> Iterator[Fault]:
    if digest != record.rows_sha256 or count != record.rows:
        counts = f"{count} rows, not {record.rows}; they" if count != record.rows else f"{count} rows"
        yield Fault(
            record.seq,
            record.origin_date,
            "rows",
            f"the stored forecast ({counts} hash to {digest}, not to {record.rows_sha256}) was altered, or "
            "forecasts was rolled back to an older version",
        )
    elif not first == last == record.issued_at:
        says = first if first != record.issued_at else last
        yield Fault(
            record.seq,
            record.origin_date,
            "rows",
            f"stored rows say that they were issued at {says:%Y-%m-%d %H:%M:%S}, the record "
            f"{record.issued_at:%Y-%m-%d %H:%M:%S}",
        )


def check_models(registry: ModelRegistry, records: Sequence[IssueRecord]) -> Iterator[Fault | int]:
    """Check that each vintage in a record is there, and every file of it hashes to its manifest.

    Yields a fault with the first record that used the vintage, or 1 for a vintage that is well.
    """
    seen: set[tuple[str, VintageId, str]] = set()
    for record in records:
        for used in record.models():
            if used not in seen:
                seen.add(used)
                problem = _model_problem(registry, *used)
                yield Fault(record.seq, record.origin_date, "model", problem) if problem else 1


def _model_problem(registry: ModelRegistry, model: str, vintage: VintageId, manifest: str) -> str:
    try:
        ref = registry.get(model, vintage)
        if ref is None:
            return f"{model} {vintage} is not in the registry any more"
        if ref.manifest_sha256 != manifest:
            return (
                f"{model} {vintage} has manifest {ref.manifest_sha256}, not {manifest}: the model was swapped"
            )
        facts = read_manifest(registry.model_folder(ref), manifest)
        if str(facts.get("cutoff")) != str(vintage.cutoff):
            return f"{model} {vintage} says in its manifest that its cutoff is {facts.get('cutoff')}"
    except (ModelError, StorageError) as error:
        return f"{model} {vintage}: {error}"
    return ""
