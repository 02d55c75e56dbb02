"""Fit a vintage again, from the candles it was fitted on, and say how far the result is."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from btc_assets.contracts import QUANTILES
from btc_assets.errors import LedgerError
from btc_assets.ledger.records import IssueRecord
from btc_assets.modeling.features import engineer
from btc_assets.modeling.forecast import forecasts
from btc_assets.modeling.history import history
from btc_assets.modeling.hyperparameters import HyperParameters
from btc_assets.modeling.inference import Predictor
from btc_assets.modeling.samples import data_digest
from btc_assets.modeling.training import fit
from btc_assets.series import CANDLES, SERIES
from btc_assets.storage.bitemporal import known
from btc_assets.storage.registry.manifest import MANIFEST, read_manifest
from btc_assets.storage.registry.protocol import ModelRef, ModelRegistry


@dataclass(frozen=True, slots=True)
class Refit:
    """A vintage that was fitted again: which files differ, and how far the forecast then is (relative)."""

    model: str
    vintage: str
    differing: Sequence[str]
    farthest: float

    def __str__(self) -> str:
        again = f"{self.model} {self.vintage} fitted again"
        if not self.differing:
            return f"{again}: the same bytes"
        files = ", ".join(self.differing)
        return f"{again}: {files} differ; the forecast by up to {self.farthest:.2e} (relative)"


def fit_again(
    registry: ModelRegistry,
    ref: ModelRef,
    everything: Mapping[str, pl.DataFrame],
    record: IssueRecord,
    rows: pl.DataFrame,
) -> Refit:
    """Fit one vintage of ``record`` again.

    Args:
        ref: the vintage as the record names it.
        everything: by series, all versions of its rows (``bitemporal.versions``).
        rows: the forecast from the stored vintage.

    Raises:
        LedgerError: no state of the candles is the one that it was fitted on.
    """
    stored = registry.model_folder(ref)
    facts = read_manifest(stored, ref.manifest_sha256)
    candles, features = _data_of_fit(everything, ref.vintage.cutoff, str(facts["data_sha256"]), record)
    hyperparameters = HyperParameters.from_dict(facts["hyperparameters"])
    with tempfile.TemporaryDirectory(prefix="refit-") as scratch:
        folder = Path(scratch) / "vintage"
        fit(ref.name, candles, features, ref.vintage.cutoff, hyperparameters, folder)
        differing = _differing(stored, folder)
        predictor = Predictor.open(folder)
    seen = known_at(everything, record.issued_at)
    candles, features = seen[CANDLES.name], engineer(seen)
    again = forecasts([record.origin_date], candles, features, lambda *_: predictor)
    mine = again.filter(pl.col("model") == ref.name)
    return Refit(ref.name, str(ref.vintage), differing, farthest(mine, rows) or 0.0)


def farthest(rows: pl.DataFrame, other: pl.DataFrame) -> float | None:
    """Compute the largest relative difference of a quantile in rows that both have; None without any."""
    both = rows.join(other, on=["model", "horizon"], suffix="_other")
    if both.is_empty():
        return None
    apart = pl.max_horizontal(((pl.col(q) - pl.col(f"{q}_other")) / pl.col(q)).abs() for q in QUANTILES)
    return float(both.select(apart.max()).item())


def known_at(everything: Mapping[str, pl.DataFrame], t: dt.datetime) -> dict[str, pl.DataFrame]:
    """Choose, of all versions of each series, those that were the newest at ``t`` (UTC)."""
    return {series.name: known(everything[series.name], t, series) for series in SERIES}


def _data_of_fit(
    everything: Mapping[str, pl.DataFrame], cutoff: dt.date, sha256: str, record: IssueRecord
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return candles up to ``cutoff`` and their features, as of the newest moment when they hash to it."""
    early = (pl.col("ingested_at") <= record.issued_at) & (pl.col("date") <= cutoff)
    until = {name: rows.filter(early) for name, rows in everything.items()}
    moments = pl.concat([rows["ingested_at"] for rows in until.values()]).unique().sort(descending=True)
    for moment in moments:
        seen = known_at(until, moment)
        candles = seen[CANDLES.name]
        if candles["date"].max() != cutoff:
            continue
        features = engineer(seen)
        if data_digest(history(candles, features=features), cutoff) == sha256:
            return candles, features
    raise LedgerError(
        f"no state of the candles up to {cutoff} hashes to {sha256}, which the vintage was fitted on; "
        "`btc verify` tells whether one was altered"
    )


def _differing(one: Path, two: Path) -> list[str]:
    """Return the names of files that differ between two model folders."""
    first, second = read_manifest(one), read_manifest(two)
    names = {**first["files"], **second["files"]}
    found = sorted(n for n in names if first["files"].get(n) != second["files"].get(n))
    return found if found or first == second else [MANIFEST]
