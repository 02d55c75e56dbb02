"""How a table's contract looks as a feature group, and how its rows come back."""

from __future__ import annotations

import polars as pl

from btc_assets.contracts import TableSpec
from btc_assets.errors import Unsupported
from btc_assets.storage.delta.schema import TYPES

_OTHERWISE = {"short": "int", "integer": "int", "long": "bigint"}
"""Types that are called otherwise in Delta Lake."""


def features(spec: TableSpec) -> list[tuple[str, str, str]]:
    """Return name, Hopsworks type and meaning of each column.

    Raises:
        Unsupported: a type that Hopsworks does not hold, or a name that it would change.
    """
    features = []
    for column in spec.columns:
        kind = TYPES.get(pl.Schema({"c": column.dtype})["c"])
        if kind is None or not column.name.islower() or not column.name.isidentifier():
            raise Unsupported(
                f"table {spec.name}: Hopsworks cannot keep column {column.name}, {column.dtype}, as it is"
            )
        features.append((column.name, _OTHERWISE.get(kind, kind), column.meaning))
    return features


def restored(spec: TableSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Cast ``rows`` to the contract's types: the server widens integers and drops the zone, which is UTC."""
    columns = []
    for name in rows.columns:
        dtype = spec.schema[name]
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime) and rows.schema[name].time_zone is None:  # type: ignore[attr-defined]
            column = column.dt.replace_time_zone("UTC")
        columns.append(column.cast(dtype))
    return rows.select(columns)
