"""The query service: real Arrow Flight over TLS, reading the Delta tables that the client wrote."""

from __future__ import annotations

import itertools
import json
import os
from functools import reduce
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.flight as flight
from deltalake import DeltaTable

from .pki import Authority

PORT = 5005
"""Fixed in the client; so each emulator listens on a loopback address of its own."""

_count = itertools.count(1)

COMPARE = {
    "GREATER_THAN": pl.Expr.gt,
    "GREATER_THAN_OR_EQUAL": pl.Expr.ge,
    "LESS_THAN": pl.Expr.lt,
    "LESS_THAN_OR_EQUAL": pl.Expr.le,
    "EQUALS": pl.Expr.eq,
}


def address() -> str:
    """A loopback address that no other emulator of this suite uses."""
    pid = os.getpid()
    return f"127.{pid % 250 + 1}.{pid // 250 % 250}.{next(_count)}"


class QueryService(flight.FlightServerBase):
    """Answers the plans that ``Features.query`` makes."""

    def __init__(self, authority: Authority, address: str) -> None:
        certificate = tuple((authority.folder / f"server.{kind}").read_bytes() for kind in ("pem", "key"))
        super().__init__(f"grpc+tls://{address}:{PORT}", tls_certificates=[certificate])

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        return [("healthcheck", ""), ("get-version", "")]

    def do_action(self, context: Any, action: flight.Action) -> list[bytes]:
        return [b"5.2.1"] if action.type == "get-version" else []

    def get_flight_info(self, context: Any, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        endpoint = flight.FlightEndpoint(descriptor.command, [])
        return flight.FlightInfo(pa.schema([]), descriptor, [endpoint], -1, -1)

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.RecordBatchStream:
        plan = json.loads(ticket.ticket)
        rows = pl.from_arrow(DeltaTable(plan["location"]).to_pyarrow_table())
        assert isinstance(rows, pl.DataFrame)
        if plan["filter"]:
            rows = rows.filter(_expression(plan["filter"], rows.schema))
        columns = [pl.col(name).alias(alias) for alias, name in plan["columns"].items()]
        return flight.RecordBatchStream(rows.select(columns).to_arrow())


def _expression(condition: dict[str, Any], schema: pl.Schema) -> pl.Expr:
    if condition.get("condition"):
        name, value = condition["feature"]["name"], pl.lit(condition["value"])
        dtype = schema[name]
        parse = {pl.Datetime: lambda: value.str.to_datetime(time_unit="us"), pl.Date: value.str.to_date}
        literal = parse.get(dtype.base_type(), lambda: value.cast(dtype))()
        return COMPARE[condition["condition"]](pl.col(name), literal)
    parts = [condition.get(side) for side in ("leftFilter", "rightFilter", "leftLogic", "rightLogic")]
    found = [_expression(part, schema) for part in parts if part]
    return reduce(pl.Expr.and_ if condition["type"] in {"AND", "SINGLE"} else pl.Expr.or_, found)
