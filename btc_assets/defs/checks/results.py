"""Results of checks, all built in one way."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.defs.resources import Platform
from btc_assets.errors import TableMissing

Context = dg.AssetCheckExecutionContext
Results = Iterator[dg.AssetCheckResult]
Check = Callable[[Context, Platform], Results]

CONTRACT = "follows_its_contract"
"""The check that a table is as its contract says."""


def multi_check(
    name: str,
    asset: str,
    others: Mapping[str, str],
    *,
    contract: bool = False,
    blocking: Mapping[str, str] | None = None,
) -> Callable[[Check], dg.AssetChecksDefinition]:
    """One step that evaluates checks of ``asset``, of which Dagster's UI can execute each by itself.

    ``blocking`` and ``others`` say by name what each promises. With ``contract`` the first is the one that
    ``contract_result`` answers, which blocks where any does.
    """
    promises = {CONTRACT: "Columns, types and keys are those of the contract."} if contract else {}
    stops = {*promises, *blocking} if blocking else set[str]()
    promises |= {**(blocking or {}), **others}
    specs = [
        dg.AssetCheckSpec(each, asset=dg.AssetKey([asset]), description=said, blocking=each in stops)
        for each, said in promises.items()
    ]

    def decorate(check: Check) -> dg.AssetChecksDefinition:
        @dg.multi_asset_check(name=name, specs=specs, can_subset=True, description=check.__doc__)
        def evaluate(
            context: dg.AssetCheckExecutionContext, platform: Platform
        ) -> Iterator[dg.AssetCheckResult]:
            left = set(context.selected_asset_check_keys)
            try:
                for found in check(context, platform):
                    key = dg.AssetCheckKey(found.asset_key or dg.AssetKey([asset]), found.check_name or "")
                    if key in left:
                        left.remove(key)
                        yield found
            except TableMissing as error:
                for key in sorted(left):
                    wrong = [f"{error}; materialize it first"]
                    yield result(key.asset_key.to_user_string(), key.name, wrong, checked=0)

        return evaluate

    return decorate


def result(
    asset: str,
    name: str,
    wrong: list[str],
    *,
    warn: bool = False,
    checked: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    measured: float | None = None,
    bound: float = 0.0,
    quantity: str = "findings",
) -> dg.AssetCheckResult:
    """Build a result: passed if nothing is ``wrong``; shows ten findings, what was measured and its bound.

    Unless another ``quantity`` was ``measured``, that is how many findings there are, of which none is
    allowed, in ``checked`` rows, days or whatever was looked at.
    """
    count = float(len(wrong)) if measured is None else measured
    shown: dict[str, Any] = {"measured": float(count), "bound": float(bound)}
    if checked is not None:
        shown |= {"checked": checked}
    if wrong:
        shown |= {"findings": len(wrong), "first findings": wrong[:10]}
    said = (
        "; ".join(wrong[:3])
        if wrong
        else f"holds: {quantity} {count:g}, bound {bound:g}; {checked or 0:,} checked"
    )
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([asset]),
        check_name=name,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=said,
        metadata={**(metadata or {}), **shown},
    )


def contract_result(table: TableSpec, frame: pl.DataFrame) -> dg.AssetCheckResult:
    """Check that ``frame`` is as the contract of ``table``, and of the asset of that name, says."""
    wrong = contract_violations(table, frame)
    return result(table.name, CONTRACT, wrong, checked=frame.height)


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
