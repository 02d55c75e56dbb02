"""What a contract is as a Delta schema, and which of its columns a stored table does not have yet."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.schema import Field, PrimitiveType

from btc_assets.contracts import TableSpec
from btc_assets.errors import StorageError
from btc_assets.storage.tables import columns_to_add

TYPES: dict[Any, str] = {
    pl.String(): "string",
    pl.Date(): "date",
    pl.Boolean(): "boolean",
    pl.Int16(): "short",
    pl.Int32(): "integer",
    pl.Int64(): "long",
    pl.Float32(): "float",
    pl.Float64(): "double",
    pl.Datetime("us", "UTC"): "timestamp",
}
"""What a column can be, and what Delta calls it."""


@cache
def delta_schema(spec: TableSpec) -> Schema:
    """Return the contract as a Delta schema, with each column's meaning as its comment.

    Raises:
        StorageError: a column type that Delta cannot hold exactly.
    """
    fields = []
    for column in spec.columns:
        name = TYPES.get(pl.Schema({"c": column.dtype})["c"])
        if name is None:
            raise StorageError(
                f"table {spec.name}: column {column.name} has type {column.dtype}, not storable"
            )
        fields.append(Field(column.name, PrimitiveType(name), metadata={"comment": column.meaning}))
    return Schema(fields)


def missing_columns(spec: TableSpec, uri: str, table: DeltaTable) -> tuple[str, ...]:
    """Return the contract's columns that ``table`` at ``uri``, which an older release made, lacks.

    Raises:
        StorageError: it differs from the contract in another way.
    """
    there, wanted = _shape(table.schema()), _shape(delta_schema(spec))
    remedy = f"Move {uri} away and materialise its asset again"
    return tuple(columns_to_add(spec, f"table {spec.name}", there, wanted, remedy))


def _shape(schema: Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema.fields}
