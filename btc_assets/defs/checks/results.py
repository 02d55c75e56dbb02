"""Results of checks, all built in one way."""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import TableSpec


def result(
    asset: str, name: str, wrong: list[str], *, warn: bool = False, metadata: dict[str, Any] | None = None
) -> dg.AssetCheckResult:
    """Build a result: passed if nothing is ``wrong``, else with the first ten findings and their number."""
    shown: dict[str, Any] = {"findings": len(wrong), "first findings": wrong[:10]} if wrong else {}
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([asset]),
        check_name=name,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description="; ".join(wrong[:3]) if wrong else "holds",
        metadata={**(metadata or {}), **shown},
    )


def spec(asset: str, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    """Declare a check of ``asset``; ``description`` says what it promises."""
    return dg.AssetCheckSpec(
        name=name, asset=dg.AssetKey([asset]), description=description, blocking=blocking
    )


def contract_violations(table: TableSpec, frame: pl.DataFrame) -> list[str]:
    """List where ``frame`` differs from the contract's columns, types and key."""
    wrong = [
        f"column {name} is {frame.schema.get(name, 'missing')}, not {dtype}"
        for name, dtype in table.schema.items()
        if frame.schema.get(name) != dtype
    ]
    if wrong:
        return wrong
    repeated = frame.filter(frame.select(table.key).is_duplicated())
    return [f"key twice: {row}" for row in repeated.select(table.key).head(10).iter_rows()]
