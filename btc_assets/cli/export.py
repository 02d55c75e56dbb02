"""``btc export``: a table as one Parquet or CSV file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from btc_assets.cli.options import one_of, parse_day
from btc_assets.errors import ConfigurationError, StorageError
from btc_assets.market.calendar import DAY
from btc_assets.settings import load


def export(
    table: Annotated[
        str, typer.Argument(help="Table to export: raw_klines, forecasts, forecast_scores, ...")
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write: .parquet or .csv.")],
    start: Annotated[str | None, typer.Option("--from", help="First day (UTC, included).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day (UTC, included).")] = None,
) -> None:
    """Write the rows of TABLE to a file; the file appears only when it is whole."""
    from btc_assets.cli.tables import TABLES
    from btc_assets.storage.open import open_tables

    spec = TABLES()[one_of(table, TABLES(), "table")]
    first = parse_day(start, "--from") if start else None
    last = parse_day(end, "--to") + DAY if end else None
    if first and last and last <= first:
        raise ConfigurationError(f"the range runs backwards: --from {start} is after --to {end}; swap them")
    if out.suffix not in {".parquet", ".csv"}:
        raise ConfigurationError(f"--out {out}: the name must end in .parquet or .csv")
    settings = load()
    frame = open_tables(settings).read(spec, start=first, end=last)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if out.suffix == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    label = " (SIMULATED prices)" if settings.simulated else ""
    typer.echo(f"{out}: {frame.height:,} rows of {table}{label}")
