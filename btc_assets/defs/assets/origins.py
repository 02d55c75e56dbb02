"""Origins of a window: which days can be forecast from, and batches of them with progress."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.defs.partitions import Window
from btc_assets.defs.resources import Platform
from btc_assets.io.progress import report
from btc_assets.storage.tables import TableStore

BATCH = 60
"""Origins between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The days of a window: those that can be forecast from, and those that cannot yet or ever."""

    usable: list[dt.date]
    too_early: list[dt.date]
    without_candle: list[dt.date]

    def metadata(self) -> dict[str, Any]:
        """Return what was left out and why, for Dagster."""
        return {
            "origins": len(self.usable),
            "origins with too little history": len(self.too_early),
            "origins without a candle": [d.isoformat() for d in self.without_candle],
        }


def split_window(window: Window, klines: pl.DataFrame, history_needed: int) -> Origins:
    """Split ``window`` by what ``klines`` (from well before the window to its end) allow.

    Raises:
        dagster.Failure: not one day of the window can be forecast from; says what is needed.
    """
    candles = sorted(klines["date"])
    have = set(candles)
    first_usable = candles[history_needed] if len(candles) > history_needed else dt.date.max
    without = [d for d in window.days if d not in have]
    early = [d for d in window.days if d in have and d < first_usable]
    usable = [d for d in window.days if d in have and d >= first_usable]
    if not usable:
        reason = (
            f"no candle for {window}; materialise raw_klines first"
            if without
            else f"a forecast needs {history_needed} candles before its origin, {window} has "
            f"{len(candles) - 1} (the first is of {candles[0]})"
        )
        raise dg.Failure(f"nothing can be forecast from {window}: {reason}", allow_retries=False)
    return Origins(usable, early, without)


def run_in_batches(
    platform: Platform, stage: str, origins: Sequence[dt.date], make: Callable[[list[dt.date]], pl.DataFrame]
) -> pl.DataFrame:
    """Call ``make`` with batches of the origins, report progress, and concatenate the rows."""
    parts = []
    for done in range(0, len(origins), BATCH):
        report(platform.settings.root, stage, done / len(origins), f"origin {origins[done]}")
        parts.append(make(list(origins[done : done + BATCH])))
    return pl.concat(parts)


def with_issue_times(
    tables: TableStore, spec: TableSpec, rows: pl.DataFrame, now: dt.datetime
) -> pl.DataFrame:
    """Add ``issued_at`` to the rows: as stored where the same row is stored already, else ``now``."""
    tables.ensure_table(spec)
    fresh = rows.with_columns(pl.lit(now).cast(spec.schema["issued_at"]).alias("fresh"))
    days = rows[spec.day]
    if rows.is_empty():
        return spec.empty()
    stored = tables.read(spec, start=days.min(), end=days.max() + dt.timedelta(1))  # type: ignore[arg-type,operator]
    return fresh.join(stored, on=rows.columns, how="left", nulls_equal=True).select(
        *rows.columns, pl.coalesce("issued_at", "fresh").alias("issued_at")
    )
