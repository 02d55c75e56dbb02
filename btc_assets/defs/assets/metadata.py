"""Metadata of the assets in Dagster's UI: schema, lineage, counts, ranges, tables, owners."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator

import btc_assets
from btc_assets.contracts import Column, TableSpec
from btc_assets.defs.assets.column_lineage import column_lineage
from btc_assets.defs.partitions import DAILY_PARTITIONS, IN_ONE_RUN, Window, window_of
from btc_assets.defs.resources import Platform
from btc_assets.storage.tables import Receipt

OWNERS = ["team:forecasting"]
ROWS = "dagster/partition_row_count"

ONLY_THESE_DAYS = (
    "A range is one run. No other day is filled: `catch_up` asks only for days that are being kept up."
)
"""What is true of every asset with days."""


def table_asset(
    spec: TableSpec,
    group: str,
    kinds: set[str],
    deps: Sequence[str] = (),
    *,
    code: tuple[str, ...] = ("market", "modeling"),
    causes: str,
    name: str | None = None,
    description: str | None = None,
    **more: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorate a table asset with what all of them share; ``more`` goes to ``@dg.asset`` as it is.

    ``code`` names the rooms that compute it: when a file of theirs changes, Dagster's UI says so.
    ``causes`` says what *Materialize* will do, beside what it always does.
    """
    decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        name=name or spec.name,
        description=said_before(description or spec.meaning, f"{causes} {ONLY_THESE_DAYS}"),
        deps=list(deps),
        group_name=group,
        kinds={"deltalake"} | kinds,
        code_version=code_version(*code),
        owners=OWNERS,
        partitions_def=DAILY_PARTITIONS,
        backfill_policy=IN_ONE_RUN,
        tags={"domain": group if group in ("market", "features") else "forecasting"},
        metadata={
            "dagster/column_schema": column_schema(spec.columns),
            "dagster/table_name": spec.name,
            "key": ", ".join(spec.key),
        },
        **more,
    )
    return decorator


def column_schema(columns: Iterable[Column]) -> dg.TableSchema:
    """Build the metadata entry of a table's columns."""
    return dg.TableSchema([dg.TableColumn(c.name, str(c.dtype), c.meaning) for c in columns])


def said_before(meaning: str, causes: str) -> str:
    """Describe an asset (Markdown): what it is, and what a click will cause, before anyone clicks."""
    return f"{meaning}\n\n**What a click causes**: {causes}"


def written(
    context: dg.AssetExecutionContext,
    platform: Platform,
    spec: TableSpec,
    receipt: Receipt,
    rows: pl.DataFrame,
    run: Mapping[str, Any],
    **daily: pl.Expr,
) -> dg.MaterializeResult[None]:
    """Build the result of a write: each partition says its own rows and values, the newest what the run did.

    Args:
        rows: what was written, with the column ``spec.day``.
        run: figures of the run as a whole, charts and tables.
        daily: by name, an aggregate of a day's rows, which Dagster plots over time.
    """
    window = window_of(context)
    add_daily_metadata(context, daily_values(window, rows, spec.day, daily))
    figures = {
        "market": market_label(platform),
        "dagster/uri": f"{platform.settings.root}/tables/{spec.name}",
        "days of the run": str(window),
        "rows inserted by the run": receipt.inserted,
        "rows updated by the run": receipt.updated,
        "rows unchanged by the run": receipt.unchanged,
        "table version": receipt.version,
        **run,
    }
    if receipt.version >= 0:  # a table that nobody wrote yet has no columns
        figures |= column_lineage(context.asset_key.to_user_string())
    context.add_asset_metadata(figures, partition_key=window.last.isoformat())
    return dg.MaterializeResult()


def daily_values(
    window: Window, rows: pl.DataFrame, day: str, daily: Mapping[str, pl.Expr]
) -> dict[dt.date, dict[str, Any]]:
    """Return for each day of ``window`` its row count, and each ``daily`` that it has."""
    table = rows.group_by(day).agg(pl.len().alias(ROWS), **daily)
    found = {row.pop(day): row for row in table.to_dicts()}
    return {
        each: {ROWS: 0} | {k: value for k, value in found.get(each, {}).items() if value is not None}
        for each in window.days
    }


@cache
def code_version(*rooms: str) -> str:
    """Return ``RELEASE+HASH`` of the files in ``rooms`` and of the tables' contracts."""
    root = Path(btc_assets.__file__).parent
    files = sorted(file for room in rooms for file in (root / room).rglob("*.py"))
    digest = hashlib.sha256((root / "contracts.py").read_bytes())
    for file in files:
        digest.update(file.read_bytes())
    return f"{btc_assets.__version__}+{digest.hexdigest()[:12]}"


def market_label(platform: Platform) -> str:
    """Return the market's name, or say that prices are simulated."""
    settings = platform.settings
    return (
        "SIMULATED, not real prices"
        if settings.simulated
        else f"Binance {settings.symbol} ({settings.source})"
    )


def add_daily_metadata(
    context: dg.AssetExecutionContext, values: Mapping[dt.date, Mapping[str, Any]]
) -> None:
    """Attach to single days what is theirs, all at once.

    ``context.add_asset_metadata`` lists the run's partitions and copies what it has at every call: seconds
    for a hundred days, minutes for a history.
    """
    step = context.get_step_execution_context()
    kept = dict(step._metadata_accumulator.per_output_metadata)
    for day, given in values.items():
        handle = AssetMetadataHandle(asset_key=context.asset_key, partition_key=day.isoformat())
        kept[handle] = {**kept.get(handle, {}), **given}
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=kept)


def table_preview(frame: pl.DataFrame, rows: int = 5) -> dg.MarkdownMetadataValue:
    """Return the last rows of ``frame`` as a table in Markdown."""
    tail = frame.tail(rows)
    lines = ["| " + " | ".join(tail.columns) + " |", "|" + "---|" * len(tail.columns)]
    lines += ["| " + " | ".join(_cell(v) for v in row) + " |" for row in tail.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"
    return "" if value is None else str(value)
