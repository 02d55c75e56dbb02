"""Metadata of the assets in Dagster's UI: schema, lineage, counts, ranges, tables, owners."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.defs.partitions import DAILY_PARTITIONS, IN_ONE_RUN, Window
from btc_assets.defs.resources import Platform
from btc_assets.market.calendar import closes_at
from btc_assets.storage.tables import Receipt

OWNERS = ["team:forecasting"]
MAX_DAILY_METADATA = 100
"""Numbers are attached day by day up to this many days a run; beyond it Dagster's cost is quadratic."""


def table_asset(
    spec: TableSpec,
    group: str,
    kinds: set[str],
    deps: Sequence[str] = (),
    *,
    name: str | None = None,
    description: str | None = None,
    **more: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorate a table asset with what all of them share; ``more`` goes to ``@dg.asset`` as it is."""
    columns = [dg.TableColumn(c.name, str(c.dtype), c.meaning) for c in spec.columns]
    decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        name=name or spec.name,
        description=description or spec.meaning,
        deps=list(deps),
        group_name=group,
        kinds={"deltalake", "polars"} | kinds,
        owners=OWNERS,
        partitions_def=DAILY_PARTITIONS,
        backfill_policy=IN_ONE_RUN,
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": spec.name,
            "key": ", ".join(spec.key),
        },
        **more,
    )
    return decorator


def written(
    platform: Platform, spec: TableSpec, window: Window, receipt: Receipt, rows: int
) -> dict[str, Any]:
    """Return the metadata of a write: what changed, for which days, from which market."""
    metadata: dict[str, Any] = {
        "days": str(window),
        "dagster/partition_row_count": rows,
        "rows inserted": receipt.inserted,
        "rows updated": receipt.updated,
        "rows unchanged": receipt.unchanged,
        "table version": receipt.version,
        "dagster/uri": f"{platform.settings.root}/tables/{spec.name}",
        "market": market_label(platform),
    }
    return metadata


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
    """Attach numbers to single days, so that Dagster plots them over time; to the last day of a long run."""
    days = sorted(values)
    for day in days if len(days) <= MAX_DAILY_METADATA else days[-1:]:
        context.add_asset_metadata(dict(values[day]), partition_key=day.isoformat())


def add_newest_metadata(
    context: dg.AssetExecutionContext, window: Window, metadata: Mapping[str, Any]
) -> None:
    """Attach bulky metadata (lineage, charts, tables) to the newest partition alone."""
    context.add_asset_metadata(dict(metadata), partition_key=window.last.isoformat())


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


def lineage(columns: Mapping[str, list[tuple[str, str]]]) -> dg.TableColumnLineage:
    """Build column lineage from ``{column: [(upstream asset, upstream column), ...]}``."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey([asset]), upstream) for asset, upstream in deps]
            for column, deps in columns.items()
        }
    )


def known_at(window: Window) -> dg.TimestampMetadataValue:
    """Return when the newest partition of ``window`` could first be known: the close of its day."""
    return dg.MetadataValue.timestamp(closes_at(window.last))
