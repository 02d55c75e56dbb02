"""``btc export``: a table as one Parquet or CSV file, or a proof of what was issued as a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from btc_assets.cli.ledger import origin_range, write_proof
from btc_assets.cli.options import one_of
from btc_assets.errors import ConfigurationError, StorageError
from btc_assets.settings import load


def export(
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .parquet or .csv; with --proof a folder.")
    ],
    table: Annotated[
        str, typer.Argument(help="Table to export: raw_klines, forecasts, forecast_scores, ...")
    ] = "",
    start: Annotated[str | None, typer.Option("--from", help="First day (UTC, included).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day (UTC, included).")] = None,
    proof: Annotated[
        bool, typer.Option("--proof", help="Write what proves the forecasts, for anyone to check.")
    ] = False,
    models: Annotated[bool, typer.Option("--models", help="With --proof: the model files, too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the rows of TABLE, or a proof of all forecasts, to --out; it appears only when it is whole.

    A file that exists is replaced only with --overwrite.
    """
    if proof == bool(table):
        raise ConfigurationError("name a table to export, or --proof, not both and not neither")
    if proof:
        first, last = origin_range(start, end)
        folder = write_proof(load(), out, start=first, end=last, with_models=models)
        typer.echo(f"{folder}: check it with `python {folder / 'verify_proof.py'}` on any machine")
        return
    from btc_assets.factory import all_tables, open_pair
    from btc_assets.io.files import replacing

    spec = all_tables()[one_of(table, all_tables(), "table")]
    first, last = origin_range(start, end)
    if out.suffix not in {".parquet", ".csv"}:
        raise ConfigurationError(f"--out {out}: the name must end in .parquet or .csv")
    if os.path.lexists(out) and not overwrite:
        raise ConfigurationError(f"--out {out} exists; choose another name, or replace it with --overwrite")
    settings = load()
    frame = open_pair(settings).read(spec, start=first, end=last)
    try:
        with replacing(out) as draft:
            (frame.write_csv if out.suffix == ".csv" else frame.write_parquet)(draft)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror or error}; choose another --out") from error
    label = " (SIMULATED prices)" if settings.simulated else ""
    typer.echo(f"{out}: {frame.height:,} rows of {table}{label}")
